//! How a verdict comes about, for all commands alike.
