//! SCRAM-SHA-1 and SCRAM-SHA-256 as MongoDB speaks them: values in, values out.
//!
//! Source: RFC 5802, RFC 7677, fact sheet section 2.
