//! Rust text as the rules want to see it: without comments and string contents, with and without
//! its tests. A small scanner, not a parser: it need not understand what the compiler already
//! accepted.

/// One file of the project.
pub struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
    /// `text` with comments and the insides of strings blanked; lines stay where they are.
    pub code: String,
    /// `code` with what stands under `#[cfg(test)]` blanked too.
    pub shipped: String,
}

/// A function: where it begins and how many lines of code it has, blank and comment lines aside.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// An identifier and its surroundings.
pub struct Word<'c> {
    pub text: &'c str,
    pub line: usize,
    /// The code before it on its line, without the spaces that end it.
    pub before: &'c str,
    /// The code behind it, without the spaces that begin it.
    pub after: &'c str,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let (code, shipped) = if path.ends_with(".rs") {
            let code = blank_comments_and_strings(text);
            let shipped = blank_tests(&code);
            (code, shipped)
        } else {
            (String::new(), String::new())
        };
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    /// The whole file is for tests or benches.
    pub fn is_test_file(&self) -> bool {
        let is_under = |folder: &str| {
            self.path.starts_with(folder) || self.path.contains(&format!("/{folder}"))
        };
        is_under("tests/") || is_under("benches/") || self.path.ends_with("tests.rs")
    }

    /// The code that goes into the program.
    pub fn shipped(&self) -> &str {
        if self.is_test_file() { "" } else { &self.shipped }
    }

    /// Lines of the file that are not tests.
    pub fn lines_without_tests(&self) -> usize {
        if self.is_test_file() {
            return 0;
        }
        let is_test = |(code, shipped): (&str, &str)| code != shipped;
        let tests = self.code.lines().zip(self.shipped.lines()).filter(|pair| is_test(*pair));
        self.text.lines().count() - tests.count()
    }
}

/// Every identifier of `code`, keywords included.
pub fn words(code: &str) -> impl Iterator<Item = Word<'_>> {
    code.lines().enumerate().flat_map(|(index, line)| {
        let mut words = Vec::new();
        let mut rest = 0;
        while let Some(start) = line[rest..].find(is_word).map(|found| rest + found) {
            let end = line[start..].find(|c| !is_word(c)).map_or(line.len(), |len| start + len);
            let (before, after) = (line[..start].trim_end(), line[end..].trim_start());
            words.push(Word { text: &line[start..end], line: index + 1, before, after });
            rest = end;
        }
        words
    })
}

/// The functions of `code` that have a body.
pub fn functions(code: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut from = 0;
    while let Some(found) = code[from..].find("fn ").map(|found| from + found) {
        from = found + 3;
        if code[..found].ends_with(is_word) {
            continue;
        }
        let name: String = code[from..].chars().take_while(|c| is_word(*c)).collect();
        let end = found + item_bytes(&code[found..]);
        if name.is_empty() || !code[..end].ends_with('}') {
            continue;
        }
        let lines = code[found..end].lines().filter(|line| !line.trim().is_empty()).count();
        functions.push(Function { name, line: code[..found].lines().count().max(1), lines });
    }
    functions
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Bytes up to the end of the item that `code` begins with: its closing brace, or its semicolon.
fn item_bytes(code: &str) -> usize {
    let (mut round, mut curly) = (0_usize, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round = round.saturating_sub(1),
            '{' => curly += 1,
            '}' => {
                curly = curly.saturating_sub(1);
                if curly == 0 && round == 0 {
                    return at + 1;
                }
            }
            ';' if curly == 0 && round == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank_tests(code: &str) -> String {
    let mut shipped = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find("#[cfg(test)]") {
        let end = start + item_bytes(&rest[start..]);
        shipped.push_str(&rest[..start]);
        shipped.extend(rest[start..end].chars().map(blank));
        rest = &rest[end..];
    }
    shipped + rest
}

fn blank(c: char) -> char {
    if c == '\n' { c } else { ' ' }
}

fn blank_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (opening, inside, closing) = token(rest);
        let end = opening + inside + closing;
        code.push_str(&rest[..opening]);
        code.extend(rest[opening..opening + inside].chars().map(blank));
        code.push_str(&rest[opening + inside..end]);
        rest = &rest[end..];
    }
    code
}

/// The bytes of `rest`'s first token: those kept before, those to blank, those kept behind.
fn token(rest: &str) -> (usize, usize, usize) {
    if rest.starts_with("//") {
        return (0, rest.find('\n').unwrap_or(rest.len()), 0);
    }
    if rest.starts_with("/*") {
        return (0, block_comment_bytes(rest), 0);
    }
    let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    if word > 0 {
        let is_raw = matches!(&rest[..word], "r" | "br" | "cr");
        return raw_string(rest, word).filter(|_| is_raw).unwrap_or((word, 0, 0));
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let inside = quoted_bytes(quoted, '"');
        return (1, inside, 1.min(quoted.len() - inside));
    }
    if let Some(quoted) = rest.strip_prefix('\'') {
        let mut next = quoted.chars();
        let is_literal = next.next() == Some('\\') || next.next() == Some('\'');
        if is_literal {
            let inside = quoted_bytes(quoted, '\'');
            return (1, inside, 1.min(quoted.len() - inside));
        }
    }
    (rest.chars().next().map_or(0, char::len_utf8), 0, 0)
}

/// The raw string whose prefix letters end at `word`, as [`token`] tells it.
fn raw_string(rest: &str, word: usize) -> Option<(usize, usize, usize)> {
    let behind = rest[word..].trim_start_matches('#');
    let hashes = rest.len() - word - behind.len();
    let inner = behind.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = inner.find(&end)?;
    Some((word + hashes + 1, inside, end.len()))
}

/// Bytes before the closing `quote`, escapes skipped.
fn quoted_bytes(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

fn block_comment_bytes(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}
