"""The sections of the reports, one file a section."""
