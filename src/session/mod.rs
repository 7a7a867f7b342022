//! The authentication state of one connection, and every command that doorward answers itself.
