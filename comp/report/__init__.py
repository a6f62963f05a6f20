"""What a person looks at: pictures and tables of what the stages did."""
