//! The first YAML document as a tree whose scalars are text with a line. Bounded, so that no file can exhaust memory or the stack.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// The greatest depth of nesting; the deepest option has six levels.
const MAX_DEPTH: usize = 32;
/// The greatest number of nodes, each alias counted as often as it is used.
const MAX_NODES: usize = 20_000;

#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A scalar's text; a null is the empty text.
    Scalar(String, usize),
    Sequence(Vec<Self>, usize),
    Mapping(Vec<(Self, Self)>, usize),
}

impl Node {
    /// The line it begins on, from 1.
    pub(super) const fn line(&self) -> usize {
        match self {
            Self::Scalar(_, line) | Self::Sequence(_, line) | Self::Mapping(_, line) => *line,
        }
    }

    /// The number of nodes in it.
    fn size(&self) -> usize {
        1 + match self {
            Self::Scalar(..) => 0,
            Self::Sequence(items, _) => items.iter().map(Self::size).sum(),
            Self::Mapping(pairs, _) => pairs.iter().map(|(key, value)| key.size() + value.size()).sum(),
        }
    }

    /// The levels of nesting in it.
    fn depth(&self) -> usize {
        1 + match self {
            Self::Scalar(..) => 0,
            Self::Sequence(items, _) => items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Mapping(pairs, _) => pairs.iter().map(|(key, value)| key.depth().max(value.depth())).max().unwrap_or(0),
        }
    }
}

/// Why a text is no YAML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) text: String,
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        Self { line: error.marker().line(), column: error.marker().col() + 1, text: error.info().to_owned() }
    }
}

struct Builder<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// The root of the first document; `None` when the text holds nothing.
pub(super) fn parse(text: &str) -> Result<Option<Node>, SyntaxError> {
    let mut builder = Builder { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    loop {
        let (event, span) = builder.next()?;
        match event {
            Event::StreamEnd | Event::DocumentEnd => return Ok(None),
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            event => return builder.node(event, span, 0).map(Some),
        }
    }
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        match self.parser.next_event() {
            Some(event) => Ok(event?),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, SyntaxError> {
        let line = span.start.line();
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(error(span, "the document is nested too deeply or too large for a configuration"));
        }
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let null = style == ScalarStyle::Plain && tag.is_none() && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                (anchor, Node::Scalar(if null { String::new() } else { text.into_owned() }, line))
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                while let Some(item) = self.child(depth)? {
                    items.push(item);
                }
                (anchor, Node::Sequence(items, line))
            }
            Event::MappingStart(anchor, _) => {
                let mut pairs = Vec::new();
                while let Some(key) = self.child(depth)? {
                    let Some(value) = self.child(depth)? else { return Err(error(span, "a key has no value")) };
                    pairs.push((key, value));
                }
                (anchor, Node::Mapping(pairs, line))
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(error(span, "the referenced anchor is not defined"));
                };
                self.nodes += node.size();
                if self.nodes > MAX_NODES || depth + node.depth() > MAX_DEPTH {
                    return Err(error(span, "the document is nested too deeply or too large for a configuration"));
                }
                return Ok(node.clone());
            }
            _ => return Err(error(span, "a value was expected")),
        };
        if anchor != 0 {
            self.nodes += node.size();
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// The next item of a collection; `None` at its end.
    fn child(&mut self, depth: usize) -> Result<Option<Node>, SyntaxError> {
        let (event, span) = self.next()?;
        match event {
            Event::SequenceEnd | Event::MappingEnd => Ok(None),
            event => self.node(event, span, depth + 1).map(Some),
        }
    }
}

fn error(span: Span, text: &str) -> SyntaxError {
    SyntaxError { line: span.start.line(), column: span.start.col() + 1, text: text.to_owned() }
}
