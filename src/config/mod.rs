//! The configuration: mongod's options and doorward's own, as text, then validated once into [`settings::Settings`].

pub mod settings;
