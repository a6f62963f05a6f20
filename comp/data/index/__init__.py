"""What images there are, what is known of each, and the tables that say so."""
