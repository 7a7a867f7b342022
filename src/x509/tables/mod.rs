//! Data that OpenSSL and Unicode 3.2 define and MongoDB shows: tables only, no logic.

pub(in crate::x509) mod attribute_types;
pub(in crate::x509) mod unicode_3_2;
