"""What is wrong with a data set: statistics, findings, leakage, duplicates."""
