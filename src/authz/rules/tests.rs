//! The rules against what was measured on a mongod 6.0.5.

mod complaints;
mod listing;
mod measured;
mod pipelines;
mod reads;
mod robust;
mod writes;
