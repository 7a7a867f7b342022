//! Extended JSON, canonical in both directions; plain numbers are read as int32, int64 or double.

use base64::{Engine, engine::general_purpose::STANDARD};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, Timestamp, oid::ObjectId};
use serde_json::{Map, Value, json};

/// The document of an extended JSON object.
pub(crate) fn document(value: &Value) -> Document {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    object.iter().map(|(key, value)| (key.clone(), bson(value))).collect()
}

/// The documents of a file of JSON lines.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn bson(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(flag) => Bson::Boolean(*flag),
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(items) => Bson::Array(items.iter().map(bson).collect()),
        Value::Object(object) => tagged(object).unwrap_or_else(|| Bson::Document(document(value))),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => i32::try_from(integer).map_or(Bson::Int64(integer), Bson::Int32),
            None => Bson::Double(number.as_f64().expect("a number")),
        },
    }
}

/// The value of an object such as `{"$numberInt": "1"}`.
fn tagged(object: &Map<String, Value>) -> Option<Bson> {
    let (tag, value) = object.iter().next()?;
    let text = value.as_str();
    match tag.as_str() {
        "$numberInt" => text?.parse().ok().map(Bson::Int32),
        "$numberLong" => text?.parse().ok().map(Bson::Int64),
        "$numberDouble" => text?.parse().ok().map(Bson::Double),
        "$oid" => ObjectId::parse_str(text?).ok().map(Bson::ObjectId),
        "$date" => {
            let millis = value.as_i64().or_else(|| value["$numberLong"].as_str()?.parse().ok())?;
            Some(Bson::DateTime(DateTime::from_millis(millis)))
        }
        "$timestamp" => {
            let part = |name: &str| u32::try_from(value[name].as_u64()?).ok();
            Some(Bson::Timestamp(Timestamp { time: part("t")?, increment: part("i")? }))
        }
        "$binary" => {
            let subtype = u8::from_str_radix(value["subType"].as_str()?, 16).ok()?;
            let bytes = STANDARD.decode(value["base64"].as_str()?).ok()?;
            Some(Bson::Binary(Binary { subtype: BinarySubtype::from(subtype), bytes }))
        }
        _ => None,
    }
}

/// The canonical extended JSON of a document, fields in their order.
pub(crate) fn json(document: &Document) -> Value {
    Value::Object(document.iter().map(|(key, value)| (key.clone(), value_json(value))).collect())
}

fn value_json(value: &Bson) -> Value {
    match value {
        Bson::Null => Value::Null,
        Bson::Boolean(flag) => json!(flag),
        Bson::String(text) => json!(text),
        Bson::Int32(number) => json!({"$numberInt": number.to_string()}),
        Bson::Int64(number) => json!({"$numberLong": number.to_string()}),
        Bson::Double(number) => json!({"$numberDouble": format!("{number:?}")}),
        Bson::ObjectId(id) => json!({"$oid": id.to_hex()}),
        Bson::DateTime(time) => json!({"$date": {"$numberLong": time.timestamp_millis().to_string()}}),
        Bson::Timestamp(time) => json!({"$timestamp": {"t": time.time, "i": time.increment}}),
        Bson::Array(items) => Value::Array(items.iter().map(value_json).collect()),
        Bson::Document(document) => json(document),
        Bson::Binary(binary) => {
            let subtype = format!("{:02x}", u8::from(binary.subtype));
            json!({"$binary": {"base64": STANDARD.encode(&binary.bytes), "subType": subtype}})
        }
        other => json!(format!("{other:?}")),
    }
}

/// Where two values differ, order of fields included; `"<varies>"` in `expected` stands for anything.
pub(crate) fn difference(expected: &Value, found: &Value, path: &str) -> Option<String> {
    match (expected, found) {
        (Value::String(text), _) if text == "<varies>" => None,
        (Value::Object(left), Value::Object(right)) => {
            let (left_keys, right_keys): (Vec<_>, Vec<_>) = (left.keys().collect(), right.keys().collect());
            if left_keys != right_keys {
                return Some(format!("{path}: fields {left_keys:?} expected, {right_keys:?} found ({found})"));
            }
            left.iter().find_map(|(key, value)| difference(value, &right[key], &format!("{path}.{key}")))
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right).enumerate();
            pairs.into_iter().find_map(|(index, (left, right))| difference(left, right, &format!("{path}[{index}]")))
        }
        _ => (expected != found).then(|| format!("{path}: {expected} expected, {found} found")),
    }
}
