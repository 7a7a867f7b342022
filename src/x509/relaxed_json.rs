//! JSON as mongod takes it in parameters: names may stand without quotes, strings in single ones.
//!
//! Only as much as `tlsCATrusts` needs: numbers and literals are known by their type alone.

/// How deep values may nest: far more than any parameter needs.
const NESTING: u8 = 16;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
    /// Anything else, by the name of its BSON type.
    Other(&'static str),
}

impl Value {
    /// The name of its BSON type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Other(name) => name,
        }
    }
}

/// What is wrong, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) expected: &'static str,
    pub(super) offset: usize,
}

/// The value at the start of `text`, which must be an array or an object; what follows is ignored, as mongod does.
pub(super) fn parse(text: &str) -> Result<Value, SyntaxError> {
    let mut parser = Parser { text, rest: text };
    parser.skip_whitespace();
    if !parser.rest.starts_with(['[', '{']) {
        return Err(parser.error("Expecting '{'"));
    }
    parser.value(NESTING)
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn error(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { expected, offset: self.text.len().saturating_sub(self.rest.len()) }
    }

    fn skip_whitespace(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    }

    fn take(&mut self, character: char) -> bool {
        self.skip_whitespace();
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: u8) -> Result<Value, SyntaxError> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.error("Not nested so deep"))?;
        if self.take('[') {
            return self.array(depth);
        }
        if self.take('{') {
            return self.object(depth);
        }
        if self.rest.starts_with(['"', '\'']) {
            return self.text().map(Value::Text);
        }
        let word = self.word();
        match word {
            "true" | "false" => Ok(Value::Other("bool")),
            "null" => Ok(Value::Other("null")),
            _ if word.parse::<i32>().is_ok() => Ok(Value::Other("int")),
            _ if word.parse::<i64>().is_ok() => Ok(Value::Other("long")),
            _ if word.starts_with(|first: char| first.is_ascii_digit() || first == '-') && word.parse::<f64>().is_ok() => {
                Ok(Value::Other("double"))
            }
            _ => Err(self.error("Bad characters in value")),
        }
    }

    fn array(&mut self, depth: u8) -> Result<Value, SyntaxError> {
        let mut values = Vec::new();
        if self.take(']') {
            return Ok(Value::Array(values));
        }
        loop {
            values.push(self.value(depth)?);
            if self.take(']') {
                return Ok(Value::Array(values));
            }
            if !self.take(',') {
                return Err(self.error("Expecting ']' or ','"));
            }
        }
    }

    fn object(&mut self, depth: u8) -> Result<Value, SyntaxError> {
        let mut fields = Vec::new();
        if self.take('}') {
            return Ok(Value::Object(fields));
        }
        loop {
            self.skip_whitespace();
            let name = if self.rest.starts_with(['"', '\'']) { self.text()? } else { self.word().to_owned() };
            if !self.take(':') {
                return Err(self.error("Expecting ':'"));
            }
            fields.push((name, self.value(depth)?));
            if self.take('}') {
                return Ok(Value::Object(fields));
            }
            if !self.take(',') {
                return Err(self.error("Expecting '}' or ','"));
            }
        }
    }

    /// A run of characters that need no quotes.
    fn word(&mut self) -> &'a str {
        let is_end = |character: char| !(character.is_ascii_alphanumeric() || "_$.+-".contains(character));
        let (word, rest) =
            self.rest.split_at_checked(self.rest.find(is_end).unwrap_or(self.rest.len())).unwrap_or(("", self.rest));
        self.rest = rest;
        word
    }

    /// A quoted string; its quote is next.
    fn text(&mut self) -> Result<String, SyntaxError> {
        let mut characters = self.rest.chars();
        let quote = characters.next();
        let mut text = String::new();
        while let Some(character) = characters.next() {
            let character = match character {
                end if Some(end) == quote => {
                    self.rest = characters.as_str();
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some('u') => unicode_escape(&mut characters),
                    Some('n') => Some('\n'),
                    Some('t') => Some('\t'),
                    Some('r') => Some('\r'),
                    Some('b') => Some('\x08'),
                    Some('f') => Some('\x0c'),
                    other => other,
                },
                control if control.is_ascii_control() => None,
                plain => Some(plain),
            };
            text.push(character.ok_or_else(|| self.error("Bad character in string"))?);
        }
        Err(self.error("Expecting the end of the string"))
    }
}

fn unicode_escape(characters: &mut std::str::Chars<'_>) -> Option<char> {
    let mut code: u32 = 0;
    for _ in 0..4 {
        code = code << 4 | characters.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_optional_around_names_and_may_be_single() {
        let expected = Value::Array(vec![Value::Object(vec![
            ("a".into(), Value::Text("x\"é\n".into())),
            ("b".into(), Value::Array(vec![])),
        ])]);
        for text in [r#"[{"a":"x\"\u00e9\n","b":[]}]"#, r#" [ { a : 'x"é\n' , 'b':[ ] } ] and more"#] {
            assert_eq!(parse(text), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn other_values_are_known_by_their_type() {
        let Ok(Value::Array(values)) = parse("[1, -2, 3000000000, 1.5, true, null, {}, 'x', []]") else { panic!("an array") };
        let types: Vec<_> = values.iter().map(Value::type_name).collect();
        assert_eq!(types, ["int", "int", "long", "double", "bool", "null", "object", "string", "array"]);
    }

    #[test]
    fn what_is_no_json_is_refused_with_the_place() {
        let deep = "[".repeat(100);
        let cases = [
            ("", 0),
            ("x", 0),
            ("null", 0),
            ("[1", 2),
            ("[1,]", 3),
            ("{a}", 2),
            ("{a:1", 4),
            ("['a]", 1),
            ("['\\u12']", 1),
            (&deep, 16),
        ];
        for (text, offset) in cases {
            assert_eq!(parse(text).unwrap_err().offset, offset, "{text}");
        }
    }
}
