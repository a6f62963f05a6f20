"""What commands print: tables on stdout, or JSON for a script."""
