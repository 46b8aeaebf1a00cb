//! The parts of a Slack message, each within Slack's limits whatever goes into it.
//!
//! Limits as documented for Block Kit; the total is the one `chat.postMessage` was seen to enforce with
//! `msg_blocks_too_long` (about 13,200 characters of blocks).

use serde_json::{Value, json};

use super::text::{escaped, units};

/// Blocks of one message.
const BLOCKS_MAX: usize = 50;
/// Characters of a section's text.
pub(super) const SECTION_MAX: usize = 3_000;
/// Characters of a header.
const HEADER_MAX: usize = 150;
/// Characters of one of a section's fields.
pub(super) const FIELD_MAX: usize = 2_000;
/// Fields of a section.
const FIELDS_MAX: usize = 10;
/// Elements of a context block, and of an actions block as far as we use it.
const ELEMENTS_MAX: usize = 10;
/// Characters of a button.
const BUTTON_MAX: usize = 75;
/// Characters of all blocks together, as JSON.
const TOTAL_MAX: usize = 12_000;

/// Blocks being put together.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Value>,
    total: usize,
}

impl Blocks {
    /// Adds a block if there is room for it and for `reserve` more characters; says whether it did.
    fn add(&mut self, block: Value, reserve: usize) -> bool {
        let length = units(&block.to_string()).saturating_add(1);
        let fits = self.total.saturating_add(length).saturating_add(reserve) <= TOTAL_MAX;
        if self.blocks.len() >= BLOCKS_MAX || !fits {
            return false;
        }
        self.total = self.total.saturating_add(length);
        self.blocks.push(block);
        true
    }

    /// A heading, of text as it came.
    pub(super) fn header(&mut self, text: &str) {
        let text = escaped(text, HEADER_MAX);
        self.add(json!({ "type": "header", "text": { "type": "plain_text", "text": text, "emoji": false } }), 0);
    }

    /// A paragraph in which nothing is formatted, of text as it came.
    pub(super) fn paragraph(&mut self, text: &str) {
        let text = escaped(text, SECTION_MAX.min(1_500));
        if !text.is_empty() {
            let text = json!({ "type": "plain_text", "text": text, "emoji": false });
            self.add(json!({ "type": "section", "text": text }), 0);
        }
    }

    /// A paragraph of markup that is safe already; says whether there was room.
    pub(super) fn markup(&mut self, markup: &str, reserve: usize) -> bool {
        if markup.is_empty() || units(markup) > SECTION_MAX {
            return false;
        }
        self.add(json!({ "type": "section", "text": mrkdwn(markup) }), reserve)
    }

    /// Two columns of markup that is safe already.
    pub(super) fn fields(&mut self, fields: &[String]) {
        let fields: Vec<Value> = fields.iter().take(FIELDS_MAX).map(|field| mrkdwn(field)).collect();
        if !fields.is_empty() {
            self.add(json!({ "type": "section", "fields": fields }), 0);
        }
    }

    /// Small print of markup that is safe already.
    pub(super) fn context(&mut self, elements: &[String]) {
        let elements: Vec<Value> = elements.iter().take(ELEMENTS_MAX).map(|element| mrkdwn(element)).collect();
        if !elements.is_empty() {
            self.add(json!({ "type": "context", "elements": elements }), 0);
        }
    }

    /// Buttons that open an address.
    pub(super) fn buttons(&mut self, links: &[(&str, &str, String)]) {
        let button = |(id, label, url): &(&str, &str, String)| {
            let text = json!({ "type": "plain_text", "text": escaped(label, BUTTON_MAX), "emoji": false });
            json!({ "type": "button", "action_id": id, "text": text, "url": url })
        };
        let buttons: Vec<Value> = links.iter().take(ELEMENTS_MAX).map(button).collect();
        if !buttons.is_empty() {
            self.add(json!({ "type": "actions", "elements": buttons }), 0);
        }
    }

    /// The finished blocks.
    pub(super) fn into_value(self) -> Value {
        Value::Array(self.blocks)
    }
}

fn mrkdwn(markup: &str) -> Value {
    // Verbatim: Slack must not turn what looks like an address or a name into a link.
    json!({ "type": "mrkdwn", "text": markup, "verbatim": true })
}
