//! What a session may do. Nothing is forwarded without an [`Allowed`] of this module.
