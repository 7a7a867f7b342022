//! A configuration file, from bytes to options as text, by mongod's rules: scalars are text, `net.port: 1` equals nesting, duplicates
//! are found after flattening, the first document counts, and a file whose root is no mapping is read as old `key=value` lines.
//! It never reads a file itself and never panics. Source: mongod 6.0.5, measured; architecture section 7.

mod ini;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

use super::error::{ConfigError, ConfigErrors, ErrorKind, Origin, Warning};
use super::options::{self, Kind, OptionSpec};
use super::raw::{self, Content, Entry, PARAMETER, RawOptions};
use tree::Node;

/// Reads the contents of the file `path`, which is only named in messages.
///
/// # Errors
/// All mistakes found, mongod's first one first.
pub fn parse(contents: &[u8], path: &Path) -> Result<RawOptions, ConfigErrors> {
    let text = String::from_utf8_lossy(contents);
    // Bytes that are no text have become replacement characters: harmless in a comment, refused in a value.
    let lossy = matches!(text, std::borrow::Cow::Owned(_));
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader = Reader { path, lossy, options: RawOptions::default(), errors: Vec::new() };
    match tree::parse(text) {
        Err(error) => {
            let text =
                format!("Error parsing YAML config file: error at line {}, column {}: {}", error.line, error.column, error.text);
            reader.error(ErrorKind::Syntax, "", text, error.line);
        }
        Ok(None) => {}
        Ok(Some(Node::Scalar(scalar, _))) if scalar.is_empty() => {}
        Ok(Some(Node::Scalar(..))) => return ini::parse(text, lossy, path),
        Ok(Some(Node::Sequence(_, line))) => {
            reader.error(ErrorKind::Syntax, "", "No map found at top level of YAML config".to_owned(), line);
        }
        Ok(Some(Node::Mapping(pairs, _))) => reader.mapping("", &pairs),
    }
    ConfigErrors::check(reader.errors)?;
    Ok(reader.options)
}

struct Reader<'a> {
    path: &'a Path,
    lossy: bool,
    options: RawOptions,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn origin(&self, line: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line }
    }

    fn error(&mut self, kind: ErrorKind, option: &str, text: String, line: usize) {
        self.errors.push(ConfigError::new(kind, option, text).at(Some(&self.origin(line))));
    }

    fn mapping(&mut self, prefix: &str, pairs: &[(Node, Node)]) {
        for (key, value) in pairs {
            let name = match key {
                Node::Scalar(name, _) => name.as_str(),
                _ => "",
            };
            if prefix.is_empty() && name.is_empty() {
                self.error(ErrorKind::Syntax, "", "Found empty key in YAML config file".to_owned(), key.line());
            } else if matches!(name, "__exec" | "__rest") {
                let text = format!("{prefix}.{name} support has not been enabled");
                let error = ConfigError::new(ErrorKind::Unsupported, prefix, text).at(Some(&self.origin(key.line())));
                self.errors.push(error.remedy("doorward runs no commands and makes no requests named in a file"));
                return;
            } else {
                let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
                self.node(&path, key.line(), value);
            }
        }
    }

    fn node(&mut self, path: &str, line: usize, value: &Node) {
        if path == "setParameter" {
            return self.parameters(value, line);
        }
        if path.starts_with(PARAMETER) {
            return self.unknown(path, line);
        }
        let option = raw::in_file(path);
        match (value, option) {
            (Node::Mapping(pairs, _), _) => self.mapping(path, pairs),
            (_, None) => self.unknown(path, line),
            (Node::Sequence(items, _), Some(option)) if option.kind == Kind::List => self.list(option, path, line, items),
            (Node::Sequence(items, _), Some(option)) if option.kind.is_list() => self.entries(option, path, line, items),
            (Node::Scalar(..), Some(option)) if option.kind.is_list() => {
                let text = format!("Option: {path} is of type StringVector, but value in YAML config is not a list type");
                self.error(ErrorKind::WrongType, option.name, text, line);
            }
            (Node::Sequence(..), Some(option)) => {
                self.error(ErrorKind::WrongType, option.name, format!("Scalar option '{path}' must be a single value"), line);
            }
            (Node::Scalar(text, _), Some(option)) => self.enter(option, path, line, Content::Text(text.clone())),
        }
    }

    fn list(&mut self, option: &'static OptionSpec, path: &str, line: usize, items: &[Node]) {
        let mut texts = Vec::new();
        for item in items {
            match item {
                Node::Scalar(text, _) => texts.push(text.clone()),
                // mongod reads a mapping in a list of texts as an empty text.
                Node::Mapping(..) => texts.push(String::new()),
                Node::Sequence(..) => {
                    let text = format!("Option: {path} has nested lists, which is not allowed");
                    return self.error(ErrorKind::WrongType, option.name, text, item.line());
                }
            }
        }
        self.enter(option, path, line, Content::List(texts));
    }

    fn entries(&mut self, option: &'static OptionSpec, path: &str, line: usize, items: &[Node]) {
        let mut entries = Vec::new();
        for item in items {
            match item {
                Node::Mapping(pairs, _) => match pairs.iter().map(scalars).collect::<Option<Entry>>() {
                    Some(entry) => entries.push(entry),
                    None => {
                        let text = format!("An entry of {path} has a field that is no single value");
                        return self.error(ErrorKind::WrongType, option.name, text, item.line());
                    }
                },
                Node::Scalar(..) | Node::Sequence(..) => {
                    let text = format!("An entry of {path} is no mapping, {{field: value}}");
                    return self.error(ErrorKind::WrongType, option.name, text, item.line());
                }
            }
        }
        self.enter(option, path, line, Content::Entries(entries));
    }

    fn enter(&mut self, option: &'static OptionSpec, written: &str, line: usize, content: Content) {
        if self.lossy && !is_utf8(&content) {
            return self.not_utf8(option.name, line);
        }
        if self.options.get(option.name).is_some() {
            let canonical = if written == option.name { String::new() } else { format!("(canonical key: {})", option.name) };
            let text = format!("Error parsing YAML config: duplicate key: {written}{canonical}");
            return self.error(ErrorKind::Duplicate, option.name, text, line);
        }
        if written != option.name {
            self.options.warn(
                Warning::new(23320, "CONTROL", "Option: Given key is deprecated. Please use preferred key instead.")
                    .with("deprecatedKey", written)
                    .with("preferredKey", option.name),
            );
        }
        self.options.set(option.name, content, self.origin(line));
    }

    fn parameters(&mut self, value: &Node, line: usize) {
        let Node::Mapping(pairs, _) = value else {
            let text = "Option: setParameter is of type StringMap, but value in YAML config is not a map type";
            return self.error(ErrorKind::WrongType, "setParameter", text.to_owned(), line);
        };
        for (key, value) in pairs {
            let (Node::Scalar(name, line), Node::Scalar(text, _)) = (key, value) else {
                let text = "setParameter has a map with non scalar values, which is not allowed".to_owned();
                return self.error(ErrorKind::WrongType, "setParameter", text, key.line());
            };
            let written = format!("{PARAMETER}{name}");
            let canonical = options::by_name(&written).map_or(written.as_str(), |option| option.name);
            let content = Content::Text(text.clone());
            if self.lossy && !is_utf8(&content) {
                self.not_utf8(canonical, *line);
            } else if self.options.get(canonical).is_some() {
                let text = format!("String Map Option: setParameter has duplicate keys in YAML Config: {name}");
                self.error(ErrorKind::Duplicate, canonical, text, *line);
            } else {
                self.options.set(canonical, content, self.origin(*line));
            }
        }
    }

    /// mongod takes any bytes; doorward does not guess what a path or a password was meant to be.
    fn not_utf8(&mut self, option: &str, line: usize) {
        self.error(ErrorKind::Syntax, option, format!("The value of {option} is not UTF-8 text"), line);
    }

    fn unknown(&mut self, path: &str, line: usize) {
        let error =
            ConfigError::new(ErrorKind::Unknown, path, format!("Unrecognized option: {path}")).at(Some(&self.origin(line)));
        let nested_parameter =
            path.strip_prefix(PARAMETER).map(|_| "setParameter is written as a mapping: setParameter: {name: value}".to_owned());
        let remedy = nested_parameter.or_else(|| {
            let by_flag =
                options::by_flag(path).map(|(option, _)| option).filter(|option| option.in_file).map(|option| option.name);
            by_flag.or_else(|| options::nearest_name(path)).map(|name| format!("did you mean {name}?"))
        });
        self.errors.push(match remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        });
    }
}

/// Whether no byte of it was replaced.
fn is_utf8(content: &Content) -> bool {
    let whole = |text: &String| !text.contains('\u{fffd}');
    match content {
        Content::Text(text) => whole(text),
        Content::List(items) => items.iter().all(whole),
        Content::Entries(entries) => entries.iter().flatten().all(|(name, text)| whole(name) && whole(text)),
    }
}

/// Key and value, when both are scalars.
fn scalars((key, value): &(Node, Node)) -> Option<(String, String)> {
    match (key, value) {
        (Node::Scalar(name, _), Node::Scalar(text, _)) => Some((name.clone(), text.clone())),
        _ => None,
    }
}
