"""What is looked at in the data, one file a family."""
