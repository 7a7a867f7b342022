//! The keyfile: one or two keys, each the password of `__system`. Source: fact sheet section 1.
