"""The command line: parse, print, catch, exit."""
