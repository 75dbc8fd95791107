//! A strict reading of a JSON object: no key twice, no depth without end, numbers kept as they were written.
//!
//! A general parser keeps the last of two equal keys and turns `0.1` into a float; a rider's money wants neither.

use std::borrow::Cow;

/// How deep a document may nest.
pub(crate) const DEPTH_MAX: usize = 64;

/// A field's value; what is nested is checked and then of no interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Bool,
    Number(&'a str),
    Text(Cow<'a, str>),
    Nested,
}

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In bytes from the beginning.
    pub(crate) offset: usize,
    pub(crate) flaw: Flaw,
    /// The key that came twice.
    pub(crate) key: Option<String>,
}

language::sentences! {
    /// What can be wrong with a document.
    pub(crate) enum Flaw {
        NotUtf8 => "this is not UTF-8", "UTF-8이 아닙니다";
        NotAnObject => "an object is expected", "객체가 와야 합니다";
        Empty => "the body is empty", "본문이 비어 있습니다";
        Follows => "something follows the object", "객체 뒤에 다른 내용이 있습니다";
        NoKey => "a key in double quotes is expected", "큰따옴표로 감싼 키가 와야 합니다";
        NoColon => "a colon is expected", "쌍점(:)이 와야 합니다";
        NoCommaOrBrace => "a comma or a closing brace is expected", "쉼표나 닫는 중괄호가 와야 합니다";
        KeyTwice => "this key comes twice", "같은 키가 두 번 나옵니다";
        NoCommaOrBracket => "a comma or a closing bracket is expected", "쉼표나 닫는 대괄호가 와야 합니다";
        TooDeep => "this is nested too deeply", "중첩이 너무 깊습니다";
        EndsEarly => "the body ends too early", "본문이 너무 일찍 끝납니다";
        NoValue => "a value is expected", "값이 와야 합니다";
        NoDigit => "a digit is expected", "숫자가 와야 합니다";
        EndsInText => "the body ends within a text", "문자열이 끝나기 전에 본문이 끝납니다";
        Control => "a text has a control character", "문자열에 제어 문자가 있습니다";
        NoEscape => "a text has an escape that means nothing", "문자열에 뜻이 없는 이스케이프가 있습니다";
    }
}

/// The fields of an object in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    keys: Vec<(Cow<'a, str>, usize)>,
    values: Vec<Value<'a>>,
}

impl<'a> Fields<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        let place = self.keys.iter().position(|(key, _)| key == name)?;
        Some(&self.values[place])
    }
}

/// Reads a whole document that must be one object.
pub(crate) fn read_object(bytes: &[u8]) -> Result<Fields<'_>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| Fault {
        offset: error.valid_up_to(),
        flaw: Flaw::NotUtf8,
        key: None,
    })?;
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_blanks();
    match scanner.peek() {
        Some(b'{') => {}
        Some(_) => return Err(scanner.fault(Flaw::NotAnObject)),
        None => return Err(scanner.fault(Flaw::Empty)),
    }
    let mut fields = Fields::default();
    scanner.object(1, &mut fields)?;
    scanner.skip_blanks();
    match scanner.peek() {
        None => Ok(fields),
        Some(_) => Err(scanner.fault(Flaw::Follows)),
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn fault(&self, flaw: Flaw) -> Fault {
        Fault { offset: self.at, flaw, key: None }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// From the opening brace on. The fields are kept for the caller to look at.
    fn object(&mut self, depth: usize, fields: &mut Fields<'a>) -> Result<(), Fault> {
        self.at += 1;
        self.skip_blanks();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.skip_blanks();
            let begin = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.fault(Flaw::NoKey));
            }
            fields.keys.push((self.string()?, begin));
            self.skip_blanks();
            if !self.take(b':') {
                return Err(self.fault(Flaw::NoColon));
            }
            fields.values.push(self.value(depth)?);
            self.skip_blanks();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.fault(Flaw::NoCommaOrBrace));
            }
        }
        match doubled(&fields.keys) {
            None => Ok(()),
            Some((key, offset)) => Err(Fault { offset, flaw: Flaw::KeyTwice, key: Some(key.to_owned()) }),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        self.skip_blanks();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.skip_blanks();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.fault(Flaw::NoCommaOrBracket));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        self.skip_blanks();
        if matches!(self.peek(), Some(b'{' | b'[')) && depth >= DEPTH_MAX {
            return Err(self.fault(Flaw::TooDeep));
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{') => {
                self.object(depth + 1, &mut Fields::default())?;
                Ok(Value::Nested)
            }
            Some(b'[') => {
                self.array(depth + 1)?;
                Ok(Value::Nested)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(_) => self.word(),
            None => Err(self.fault(Flaw::EndsEarly)),
        }
    }

    fn word(&mut self) -> Result<Value<'a>, Fault> {
        for (word, value) in [("null", Value::Null), ("true", Value::Bool), ("false", Value::Bool)] {
            if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.fault(Flaw::NoValue))
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let begin = self.at;
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(self.fault(Flaw::NoDigit));
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.fault(Flaw::NoDigit));
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'-') {
                self.take(b'+');
            }
            if self.digits() == 0 {
                return Err(self.fault(Flaw::NoDigit));
            }
        }
        Ok(&self.text[begin..self.at])
    }

    fn digits(&mut self) -> usize {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - begin
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let begin = self.at;
        self.at += 1;
        let mut is_escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_escaped = true;
                    self.at += 1;
                    if self.peek().is_none() {
                        return Err(self.fault(Flaw::EndsInText));
                    }
                }
                Some(0..=0x1f) => return Err(self.fault(Flaw::Control)),
                Some(_) => {}
                None => return Err(self.fault(Flaw::EndsInText)),
            }
            self.at += 1;
        }
        self.at += 1;
        if !is_escaped {
            return Ok(Cow::Borrowed(&self.text[begin + 1..self.at - 1]));
        }
        let decoded: Result<String, _> = serde_json::from_str(&self.text[begin..self.at]);
        decoded.map(Cow::Owned).map_err(|_| Fault { offset: begin, flaw: Flaw::NoEscape, key: None })
    }
}

/// The second of two equal keys.
fn doubled<'k>(keys: &'k [(Cow<'_, str>, usize)]) -> Option<(&'k str, usize)> {
    let mut sorted: Vec<(&str, usize)> = keys.iter().map(|(key, offset)| (&**key, *offset)).collect();
    sorted.sort_unstable();
    let pair = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    Some(pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &[u8]) -> (usize, Flaw) {
        let fault = read_object(text).expect_err("it is wrong");
        (fault.offset, fault.flaw)
    }

    #[test]
    fn values_are_kept_as_they_were_written() {
        let body = br#" {"a":1e400,"b":"x\u00e9\n","c":null,"d":[{"a":1},{"a":2}],"e":true,"f":-0.50} "#;
        let fields = read_object(body).unwrap();
        assert_eq!(fields.get("a"), Some(&Value::Number("1e400")));
        assert_eq!(fields.get("b"), Some(&Value::Text("xé\n".into())));
        assert_eq!(fields.get("c"), Some(&Value::Null));
        assert_eq!(fields.get("d"), Some(&Value::Nested));
        assert_eq!(fields.get("e"), Some(&Value::Bool));
        assert_eq!(fields.get("f"), Some(&Value::Number("-0.50")));
        assert_eq!(fields.get("g"), None);
        assert!(read_object(b"{}").unwrap().get("a").is_none());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, offset, what) in [
            (&b""[..], 0, Flaw::Empty),
            (b"  \n", 3, Flaw::Empty),
            (b"[1]", 0, Flaw::NotAnObject),
            (b"1", 0, Flaw::NotAnObject),
            (b"\xef\xbb\xbf{}", 0, Flaw::NotAnObject),
            (b"{} {}", 3, Flaw::Follows),
            (b"{\"a\":1,}", 7, Flaw::NoKey),
            (b"{a:1}", 1, Flaw::NoKey),
            (b"{\"a\" 1}", 5, Flaw::NoColon),
            (b"{\"a\":1 \"b\":2}", 7, Flaw::NoCommaOrBrace),
            (b"{\"a\":[1 2]}", 8, Flaw::NoCommaOrBracket),
            (b"{\"a\":NaN}", 5, Flaw::NoValue),
            (b"{\"a\":Infinity}", 5, Flaw::NoValue),
            (b"{\"a\":-}", 6, Flaw::NoDigit),
            (b"{\"a\":-Infinity}", 6, Flaw::NoDigit),
            (b"{\"a\":1.}", 7, Flaw::NoDigit),
            (b"{\"a\":1e}", 7, Flaw::NoDigit),
            (b"{\"a\":01}", 6, Flaw::NoCommaOrBrace),
            (b"{\"a\":", 5, Flaw::EndsEarly),
            (b"{\"a\":\"x", 7, Flaw::EndsInText),
            (b"{\"a\":\"x\\", 8, Flaw::EndsInText),
            (b"{\"a\":\"x\ny\"}", 7, Flaw::Control),
            (b"{\"a\":\"\\x\"}", 5, Flaw::NoEscape),
            (b"{\"a\":\"\\ud800\"}", 5, Flaw::NoEscape),
            (b"{\"a\":\"\xff\"}", 6, Flaw::NotUtf8),
            (b"{\"a\":1,\"b\":2,\"a\":3}", 13, Flaw::KeyTwice),
            (b"{\"a\":1,\"\\u0061\":3}", 7, Flaw::KeyTwice),
            (b"{\"a\":[{\"b\":1,\"b\":1}]}", 13, Flaw::KeyTwice),
        ] {
            assert_eq!(fault(text), (offset, what), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read_object(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
        let (_, what) = fault(nested(DEPTH_MAX).as_bytes());
        assert_eq!(what, Flaw::TooDeep);
        assert_eq!(fault(&vec![b'{'; 60_000]).1, Flaw::NoKey);
        let open = format!("{{\"a\":{}", "[".repeat(60_000));
        assert_eq!(fault(open.as_bytes()).1, Flaw::TooDeep);
    }
}
