//! What MongoDB sees in a certificate: the user name, the roles, whether it is a cluster member.
//!
//! Source: fact sheet sections 3 and 4.
