"""The daemon, built: its workers, its collections, its images, its log, and the server around them."""
