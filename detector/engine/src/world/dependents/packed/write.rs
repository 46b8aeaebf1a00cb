//! Writes what is kept of a dependent, and decides which texts others are likely to share.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::Writer;

use super::{
    super::{super::dependent::Dependent, texts::Texts},
    HAS_ENDED, HAS_EXCHANGES, HAS_NEEDS, HAS_STARTED, IS_PART, IS_STOPPING,
};

/// Which part of a text others are likely to share.
#[derive(Debug, Clone, Copy)]
enum Sharing {
    /// None: the name of a job, its security group.
    Nothing,
    /// The text up to its last slash: ARNs and URIs.
    Folder,
    /// All of it: its account, its role.
    Whole,
}

/// Writes dependents.
pub(super) struct Packer<'a> {
    pub(super) bytes: &'a mut Writer,
    pub(super) texts: &'a mut Texts,
}

impl Packer<'_> {
    pub(super) fn write(&mut self, one: &Dependent) {
        // All fields by name, so that a new one is not forgotten here.
        let Dependent {
            kind,
            arn,
            name,
            named,
            account,
            region,
            started,
            ended,
            stopping,
            parent,
            security_groups,
            subnets,
            role_arn,
            kms_key,
            needs,
            exchanged,
            output_model,
            output_model_arn,
            training_uri,
            validation_uris,
            output_uri,
            base_model,
            customization_type,
            hyper_parameters,
            job_tags,
            model_tags,
        } = one;
        let has_exchanges = named.is_some() || !exchanged.is_empty();
        self.bytes.byte(kind.number());
        self.bytes.byte(
            bit_if(started.is_some(), HAS_STARTED)
                | bit_if(ended.is_some(), HAS_ENDED)
                | bit_if(*stopping, IS_STOPPING)
                | bit_if(parent.is_some(), IS_PART)
                | bit_if(!needs.is_empty(), HAS_NEEDS)
                | bit_if(has_exchanges, HAS_EXCHANGES),
        );
        for second in [*started, ended.as_ref().map(|(at, _)| *at)].into_iter().flatten() {
            self.bytes.raw(&second.0.to_le_bytes());
        }
        self.text(account, Sharing::Whole);
        self.option(role_arn.as_deref(), Sharing::Whole);
        if let Some((_, status)) = ended {
            self.text(status, Sharing::Whole);
        }
        self.text(region, Sharing::Whole);
        self.option(arn.as_deref(), Sharing::Folder);
        self.option(name.as_deref(), Sharing::Nothing);
        self.option(parent.as_deref(), Sharing::Whole);
        self.option(kms_key.as_deref(), Sharing::Whole);
        self.option(output_model.as_deref(), Sharing::Nothing);
        self.option(output_model_arn.as_deref(), Sharing::Folder);
        self.option(training_uri.as_deref(), Sharing::Folder);
        self.option(output_uri.as_deref(), Sharing::Folder);
        self.option(base_model.as_deref(), Sharing::Whole);
        self.option(customization_type.as_deref(), Sharing::Whole);
        self.set(security_groups, Sharing::Nothing);
        self.set(subnets, Sharing::Whole);
        self.set(validation_uris, Sharing::Folder);
        for pairs in [hyper_parameters, job_tags, model_tags] {
            self.pairs(pairs);
        }
        // All of it has a length and no type can refuse.
        if !needs.is_empty() {
            self.bytes.counted(&postcard::to_allocvec(needs).unwrap_or_default());
        }
        if has_exchanges {
            self.bytes.counted(&postcard::to_allocvec(&(named, exchanged)).unwrap_or_default());
        }
    }

    fn set(&mut self, texts: &BTreeSet<Box<str>>, sharing: Sharing) {
        self.bytes.length(texts.len());
        for text in texts {
            self.text(text, sharing);
        }
    }

    fn pairs(&mut self, pairs: &BTreeMap<Box<str>, Box<str>>) {
        self.bytes.length(pairs.len());
        for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
            self.text(text, Sharing::Whole);
        }
    }

    fn option(&mut self, text: Option<&str>, sharing: Sharing) {
        match text {
            Some(text) => self.text(text, sharing),
            None => self.bytes.number(0),
        }
    }

    /// A text: 1 and twice its shared beginning, counted from 1 and 0 for none, and 1 more if it goes on after that.
    fn text(&mut self, text: &str, sharing: Sharing) {
        let (shared, rest) = match sharing {
            Sharing::Nothing => ("", text),
            Sharing::Folder => text.split_at(text.rfind('/').map_or(0, |slash| slash.saturating_add(1))),
            Sharing::Whole => (text, ""),
        };
        let beginning = if shared.is_empty() { 0 } else { self.texts.acquire(shared).saturating_add(1) };
        self.bytes.number(beginning.wrapping_mul(2).wrapping_add(1).wrapping_add(u32::from(!rest.is_empty())));
        if !rest.is_empty() {
            self.bytes.counted(rest.as_bytes());
        }
    }
}

/// `bit` if `is_there`.
const fn bit_if(is_there: bool, bit: u8) -> u8 {
    if is_there { bit } else { 0 }
}
