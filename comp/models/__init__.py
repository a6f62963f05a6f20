"""Networks, their heads and the device that they run on."""
