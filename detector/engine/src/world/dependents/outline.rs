//! What is asked of many dependents at once, without unpacking each: when they began and ended.

use super::{
    super::{
        dependent::{End, Kind},
        resource::ResourceKey,
    },
    Dependents, Second,
    keys::Key,
    packed::Packed,
};

/// When a dependent began and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) started: Option<Second>,
    /// By itself or with what it is a part of.
    pub(crate) end: Option<End>,
}

impl Dependents {
    /// Every dependent, by number.
    pub(crate) fn outlines(&self) -> impl Iterator<Item = Outline> {
        self.packed().filter_map(|(number, packed)| self.outline(number, packed))
    }

    /// Those that act under `role`, and their parts.
    pub(crate) fn outlines_under(&self, role: &ResourceKey) -> Vec<Outline> {
        let mut outlines = Vec::new();
        for &number in self.index.at(Key::Resource(role).hash()) {
            let Some(packed) = self.packed_at(number) else { continue };
            let Some(head) = packed.head(&self.texts) else { continue };
            if !head.has_exchanges && !matches!(head.kind, Kind::KnowledgeBase | Kind::Agent) {
                // It never had another role, and it has no parts.
                let is_its = head.role_arn.and_then(ResourceKey::role_of_arn).as_ref() == Some(role);
                outlines.extend(is_its.then(|| self.outline(number, packed)).flatten());
                continue;
            }
            let Some(one) = self.get(number).filter(|one| one.stands_on(role)) else { continue };
            outlines.extend(self.outline(number, packed));
            let parts = one.arn.as_deref().into_iter().flat_map(|arn| self.found_by(Key::Whole(arn)));
            outlines.extend(parts.filter_map(|(number, _)| self.outline(number, self.packed_at(number)?)));
        }
        outlines
    }

    fn outline(&self, number: u32, packed: &Packed) -> Option<Outline> {
        let head = packed.head(&self.texts)?;
        let end = if head.is_part {
            self.end_of(&packed.unpack(&self.texts)?)
        } else {
            End::of(head.kind, head.started, head.ended)
        };
        Some(Outline { number, kind: head.kind, started: head.started, end })
    }
}
