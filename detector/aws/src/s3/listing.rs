//! Which objects a replay reads.
//!
//! Where only some days are wanted, folders are followed down to the regions of trails, and of each region only the
//! wanted days are listed. Everything else is listed flat, and sorted out by what keys say.

use bedrock_watch_engine::Second;
use bedrock_watch_service::replay::Span;
use futures_util::{StreamExt as _, stream};

use super::{
    buckets::{Buckets, explained},
    key::{day_folder, delivered, folder_may_hold_events, is_region, may_hold_events},
};

/// Folders listed beside each other.
const LISTS_MAX: usize = 8;
/// Seconds in a day.
const DAY_S: u32 = 86_400;
/// How deep folders are followed to find the regions of trails.
const DEPTH_MAX: usize = 12;
/// Objects of one replay: they are kept in memory by name, with about 300 bytes each.
const OBJECTS_MAX: usize = 1_000_000;
/// Files delivered so long before the first wanted event are left out, in seconds. None holds a later event; the margin
/// is for names that say less than the minute.
const BEFORE_S: u32 = DAY_S;
/// Files delivered so long after the last wanted event are left out, in seconds. CloudTrail delivers within minutes,
/// and within hours when something is wrong.
const AFTER_S: u32 = DAY_S / 2;

/// An object to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) bytes: u64,
}

/// The times of delivery that are of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: Option<Second>,
    to: Option<Second>,
}

impl Window {
    const fn of(span: Span) -> Self {
        let from = match span.since {
            Some(since) => Some(since.minus(BEFORE_S)),
            None => None,
        };
        let to = match span.until {
            Some(until) => Some(until.plus(AFTER_S)),
            None => None,
        };
        Self { from, to }
    }

    const fn is_limited(self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// Whether a file may hold wanted events. What says nothing may.
    fn admits(self, key: &str) -> bool {
        let Some(delivered) = delivered(key) else { return true };
        // A day without a time stands for its beginning, and the margin before is a whole day.
        self.from.is_none_or(|from| delivered >= from) && self.to.is_none_or(|to| delivered <= to)
    }
}

/// The objects below `prefix` that may hold events of the span, in the order in which a local copy would be walked.
pub(super) async fn list(buckets: &Buckets, bucket: &str, prefix: &str, span: Span) -> Result<Vec<Found>, String> {
    let lister = Lister { buckets, bucket, window: Window::of(span) };
    let mut found = if lister.window.is_limited() {
        lister.list_by_day(prefix).await?
    } else {
        lister.list_flat(prefix, None).await?
    };
    found.sort_by(|one, other| one.key.split('/').cmp(other.key.split('/')));
    found.dedup_by(|one, other| one.key == other.key);
    Ok(found)
}

struct Lister<'a> {
    buckets: &'a Buckets,
    bucket: &'a str,
    window: Window,
}

/// One page of a list.
struct Page {
    objects: Vec<Found>,
    folders: Vec<String>,
    next: Option<String>,
}

impl Lister<'_> {
    /// Follows folders to the regions of trails.
    async fn list_by_day(&self, prefix: &str) -> Result<Vec<Found>, String> {
        let (mut found, mut folders) = (Vec::new(), vec![prefix.to_owned()]);
        for _ in 0..DEPTH_MAX {
            let (regions, others): (Vec<String>, Vec<String>) = folders.into_iter().partition(|one| is_region(one));
            let listed = stream::iter(regions).map(|region| self.list_region(region)).buffer_unordered(LISTS_MAX);
            found.extend(self.gathered(listed).await?);
            if others.is_empty() {
                return Ok(found);
            }
            let followed = stream::iter(others).map(|folder| self.follow(folder)).buffer_unordered(LISTS_MAX);
            let followed: Vec<_> = followed.collect().await;
            folders = Vec::new();
            for level in followed {
                let (objects, below) = level?;
                found.extend(objects);
                folders.extend(below);
            }
            if found.len().saturating_add(folders.len()) > OBJECTS_MAX {
                return Err(self.too_many());
            }
        }
        // Whatever lies so deep is not CloudTrail's layout.
        let listed = stream::iter(folders).map(|folder| self.list_owned(folder)).buffer_unordered(LISTS_MAX);
        found.extend(self.gathered(listed).await?);
        Ok(found)
    }

    async fn gathered(
        &self,
        lists: impl stream::Stream<Item = Result<Vec<Found>, String>>,
    ) -> Result<Vec<Found>, String> {
        let mut found = Vec::new();
        let mut lists = std::pin::pin!(lists);
        while let Some(list) = lists.next().await {
            found.extend(list?);
            if found.len() > OBJECTS_MAX {
                return Err(self.too_many());
            }
        }
        Ok(found)
    }

    /// The objects and folders directly below a prefix.
    async fn follow(&self, prefix: String) -> Result<(Vec<Found>, Vec<String>), String> {
        let (mut objects, mut folders, mut next) = (Vec::new(), Vec::new(), None);
        loop {
            let page = self.page(&prefix, true, None, next).await?;
            objects.extend(page.objects.into_iter().filter(|object| object.is_wanted(self.window)));
            folders.extend(page.folders.into_iter().filter(|folder| folder_may_hold_events(folder)));
            next = page.next;
            if next.is_none() {
                return Ok((objects, folders));
            }
            if objects.len().saturating_add(folders.len()) > OBJECTS_MAX {
                return Err(self.too_many());
            }
        }
    }

    /// The wanted days of a region.
    async fn list_region(&self, region: String) -> Result<Vec<Found>, String> {
        let after = self.window.from.map(|from| format!("{region}{}", day_folder(from)));
        self.list_flat(&region, after).await
    }

    async fn list_owned(&self, prefix: String) -> Result<Vec<Found>, String> {
        self.list_flat(&prefix, None).await
    }

    /// Everything below a prefix, from the key `after` on and up to the last wanted day.
    async fn list_flat(&self, prefix: &str, after: Option<String>) -> Result<Vec<Found>, String> {
        let last = self.window.to.filter(|_| is_region(prefix)).map(|to| format!("{prefix}{}", day_folder(to)));
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = self.page(prefix, false, after.clone().filter(|_| next.is_none()), next).await?;
            let is_past =
                |found: &Found| last.as_ref().is_some_and(|last| !found.key.starts_with(last) && found.key > *last);
            let is_over = page.objects.last().is_some_and(is_past);
            found.extend(page.objects.into_iter().filter(|object| object.is_wanted(self.window)));
            next = page.next;
            if found.len() > OBJECTS_MAX {
                return Err(self.too_many());
            }
            if next.is_none() || is_over {
                return Ok(found);
            }
        }
    }

    async fn page(
        &self,
        prefix: &str,
        by_folder: bool,
        after: Option<String>,
        next: Option<String>,
    ) -> Result<Page, String> {
        let listed = self.buckets.call(self.bucket, None, |client| {
            let request = client.list_objects_v2().bucket(self.bucket).prefix(prefix);
            let request = request.set_start_after(after.clone()).set_continuation_token(next.clone());
            request.set_delimiter(by_folder.then(|| "/".to_owned())).send()
        });
        let listed = listed.await;
        let listed = listed.map_err(|failure| explained(&failure, self.bucket, &format!("cannot list {prefix}")))?;
        let objects = listed.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let bytes = u64::try_from(object.size.unwrap_or_default()).unwrap_or_default();
            Some(Found { key: object.key?, bytes })
        });
        let folders = listed.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix);
        let next = listed.next_continuation_token.filter(|_| listed.is_truncated == Some(true));
        Ok(Page { objects: objects.collect(), folders: folders.collect(), next })
    }

    fn too_many(&self) -> String {
        format!(
            "there are more than {OBJECTS_MAX} objects in bucket {}; narrow it with a longer prefix, --since and --until",
            self.bucket
        )
    }
}

impl Found {
    /// Whether it is worth reading.
    fn is_wanted(&self, window: Window) -> bool {
        self.bytes > 0 && may_hold_events(&self.key) && window.admits(&self.key)
    }
}
