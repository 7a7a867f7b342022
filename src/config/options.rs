//! The one table of options. YAML, command line, `--help`, `config/doorward.conf` and the type checks are all read from it.
//!
//! It must never hold an option twice, and a security option that doorward can not honour must stand in it as
//! [`Support::Refused`], never as ignored. Source: `mongod --help` and `mongod --outputConfig` of 6.0.5, the manual for options of
//! newer servers and of the enterprise build, doorward's contract for `proxy.*`.

mod database;
pub mod parameters;
mod proxy;
mod refused;
mod server;
#[cfg(test)]
mod tests;

/// How an option's text is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A path; never read by this module.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`; on the command line its presence alone.
    Switch,
    /// `true` or `false`, with mongod's other wording of the refusal.
    Boolean,
    /// A whole number, decimal, hexadecimal (`0x`) or octal (`0`), within these bounds.
    Integer(i64, i64),
    /// A number.
    Double,
    /// A list: a YAML sequence, or a flag that may be repeated.
    List,
    /// A list of mappings with these fields; as a flag `field=text,field=text`, once an entry.
    Entries(&'static [&'static str]),
}

impl Kind {
    /// Whether it has any number of items, each of which may have a flag of its own.
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(self, Self::List | Self::Entries(_))
    }
}

/// When a changed value counts after a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// For every connection, at its next command.
    Now,
    /// For connections accepted after the reload.
    NewConnections,
    /// Only after a restart.
    Restart,
}

/// What doorward does with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As mongod does, or as the contract says.
    Honoured,
    /// It concerns the database alone: accepted and listed.
    Ignored,
    /// An error with this reason, except that a switch may be `false`.
    Refused(&'static str),
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A value.
    Value,
    /// Nothing; the option becomes this text.
    Nothing(&'static str),
    /// A boolean or nothing, which is `true`.
    OptionalBoolean,
    /// Letters `v` or nothing: `-v`, `-vvv`, `--verbose vv`.
    Letters,
}

/// A command line flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The name without dashes.
    pub name: &'static str,
    /// The letter of the short form.
    pub short: Option<char>,
    /// The newer flag that this old one stands for.
    pub legacy_of: Option<&'static str>,
    /// What follows it.
    pub takes: Takes,
}

impl Flag {
    /// A flag that takes a value.
    #[must_use]
    pub const fn value(name: &'static str) -> Self {
        Self { name, short: None, legacy_of: None, takes: Takes::Value }
    }

    /// A flag that sets its option to `text`.
    #[must_use]
    pub const fn set(name: &'static str, text: &'static str) -> Self {
        Self { name, short: None, legacy_of: None, takes: Takes::Nothing(text) }
    }

    /// A switch.
    #[must_use]
    pub const fn switch(name: &'static str) -> Self {
        Self::set(name, "true")
    }

    /// The same flag, deprecated in favour of `newer`.
    #[must_use]
    pub const fn legacy(mut self, newer: &'static str) -> Self {
        self.legacy_of = Some(newer);
        self
    }

    /// The same flag with a short form.
    #[must_use]
    pub const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// The name that occurrences are counted by.
    #[must_use]
    pub fn primary(&self) -> &'static str {
        self.legacy_of.unwrap_or(self.name)
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// The dotted name in YAML.
    pub name: &'static str,
    /// Its flags, the usual one first.
    pub flags: &'static [Flag],
    /// Deprecated YAML names.
    pub legacy_names: &'static [&'static str],
    /// How its text is read.
    pub kind: Kind,
    /// The default as text; `None` is unset.
    pub default: Option<&'static str>,
    /// Whether its value must never be printed.
    pub secret: bool,
    /// When a change counts.
    pub reload: Reload,
    /// What doorward does with it.
    pub support: Support,
    /// Whether it may stand in a file. `config`, `help` and the like may not.
    pub in_file: bool,
    /// One or two sentences for `--help` and `doorward.conf`.
    pub help: &'static str,
}

impl OptionSpec {
    pub(super) const fn new(name: &'static str, kind: Kind, flags: &'static [Flag], help: &'static str) -> Self {
        Self {
            name,
            flags,
            legacy_names: &[],
            kind,
            default: None,
            secret: false,
            reload: Reload::Restart,
            support: Support::Honoured,
            in_file: true,
            help,
        }
    }

    pub(super) const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    pub(super) const fn legacy(mut self, names: &'static [&'static str]) -> Self {
        self.legacy_names = names;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) const fn reload(mut self, reload: Reload) -> Self {
        self.reload = reload;
        self
    }

    pub(super) const fn ignored(mut self) -> Self {
        self.support = Support::Ignored;
        self
    }

    pub(super) const fn refused(mut self, reason: &'static str) -> Self {
        self.support = Support::Refused(reason);
        self
    }

    pub(super) const fn command_line_only(mut self) -> Self {
        self.in_file = false;
        self
    }
}

/// All rows, in the order of `--help`.
pub fn all() -> impl Iterator<Item = &'static OptionSpec> {
    [server::OPTIONS, proxy::OPTIONS, parameters::OPTIONS, database::OPTIONS, database::COMPONENTS, refused::OPTIONS]
        .into_iter()
        .flatten()
}

/// The row of a dotted name, also of a deprecated one.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static OptionSpec> {
    all().find(|option| option.name == name || option.legacy_names.contains(&name))
}

/// The row and the flag of a flag's name without dashes.
#[must_use]
pub fn by_flag(name: &str) -> Option<(&'static OptionSpec, &'static Flag)> {
    all().find_map(|option| option.flags.iter().find(|flag| flag.name == name).map(|flag| (option, flag)))
}

/// The row and the flag of a short flag.
#[must_use]
pub fn by_short(letter: char) -> Option<(&'static OptionSpec, &'static Flag)> {
    all().find_map(|option| option.flags.iter().find(|flag| flag.short == Some(letter)).map(|flag| (option, flag)))
}

/// The honoured or ignored option that an unknown dotted name was most likely meant to be.
#[must_use]
pub fn nearest_name(unknown: &str) -> Option<&'static str> {
    let names = all().filter(|option| option.in_file && !matches!(option.support, Support::Refused(_))).map(|option| option.name);
    nearest(unknown, names)
}

/// The flag that an unknown one was most likely meant to be.
#[must_use]
pub fn nearest_flag(unknown: &str) -> Option<&'static str> {
    nearest(unknown, all().flat_map(|option| option.flags.iter().map(|flag| flag.name)))
}

/// At most two letters away, or right but for its case.
pub(crate) fn nearest<'a>(unknown: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const FAR: usize = 3;
    names
        .map(|name| (if name.eq_ignore_ascii_case(unknown) { 0 } else { distance(unknown, name, FAR) }, name))
        .filter(|(distance, name)| *distance < FAR && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The number of letters to change, insert or remove; anything from `far` on is `far`.
fn distance(left: &str, right: &str, far: usize) -> usize {
    if left.len().abs_diff(right.len()) >= far {
        return far;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.bytes().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(right.bytes()) {
            let changed = diagonal + usize::from(letter != other);
            diagonal = *cell;
            before = changed.min(*cell + 1).min(before + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(far).min(far)
}
