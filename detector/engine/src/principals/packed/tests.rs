//! Packing loses nothing, whatever a principal did, and reading damaged bytes is an error and never worse.

use crate::{
    alert::{Actor, Severity},
    bedrock::Outcome,
    firsts::{self, Key},
    order::EventId,
    principals::{NO_MODEL, StoredActor},
    settings::Settings,
    time::DAY_S,
};

use super::{
    super::{
        baseline::baseline,
        calls::CallKind,
        principal::{CachedBaseline, CachedWindow, Enablement},
    },
    OUTCOMES, Packed, Principal, ShortName, Writer,
};

const START: u32 = 1_793_491_200;
const NAME: ShortName<'_> = ShortName { beginning: 3, rest: b"app" };

/// What a principal does in one step: how many seconds later, and what.
type Step = (u16, u8, u8, u8);

/// A principal after these steps, made in the ways in which the engine makes one.
fn principal_after(steps: &[Step]) -> Principal {
    let mut principal = Principal::default();
    let settings = Settings::standard();
    let mut watermark = START;
    for (place, &(later, what, model, region)) in steps.iter().enumerate() {
        // Now and then, most of a day passes.
        let passed = if what % 16 == 0 { 80_000 } else { u32::from(later) % 2_000 };
        watermark = watermark.saturating_add(passed);
        let second = watermark.saturating_sub(u32::from(model).saturating_mul(3));
        principal.compact(watermark, &settings);
        principal.settle(watermark, &settings);
        let id = EventId::new(&match what % 7 {
            0 => format!("event-{place}"),
            _ => format!("9606afeb-3e3a-4f54-88ad-{place:012x}"),
        });
        let actor = || StoredActor::of_test(&Actor { session_name: Some(format!("s-{place}")), ..Actor::default() });
        if what == 255 {
            principal.insert_enablement(Enablement { second, id, region, actor: actor() });
            continue;
        }
        let outcome = OUTCOMES[usize::from(what % 4)];
        let model = if model % 9 == 0 { NO_MODEL } else { u16::from(model) * 200 };
        let limit_probe = outcome == Outcome::Refused && region % 2 == 0;
        let kind = CallKind { model, region, outcome, long_lived: what % 3 == 0, limit_probe };
        principal.insert_call(second, kind);
        for kind in [firsts::PRINCIPAL, firsts::OPERATION, firsts::NETWORK] {
            let value = if kind == firsts::PRINCIPAL { 0 } else { u32::from(region) << 20 };
            principal.sightings.note(Key { kind, value }, second, 64);
        }
        let day = principal.day_mut(second / DAY_S);
        day.tally_mut(outcome).add(second, || id, region, actor);
        day.peak.raise(u32::from(what), second);
        day.failed = day.failed.saturating_add(u32::from(what % 2));
        if outcome == Outcome::Refused {
            day.note_refusal(&format!("Error{region}"), model);
        }
        day.used.regions = day.tally_mut(outcome).regions.clone();
        day.used.models.push(model);
        day.used.sessions.push(u32::from(what) << 20);
        day.used.source_ips.extend([second, u32::MAX]);
        if what % 5 == 0 {
            principal.baseline = Some(baseline(&principal, second, &settings));
        }
        if what % 25 == 0 {
            let value = Some(u32::from(later));
            principal.baseline = principal.baseline.map(|known| CachedBaseline { value, ..known });
        }
        if what == 254 {
            principal.verdict_mut("rule", second / DAY_S).set(second, Some(Severity::High));
        }
    }
    principal
}

/// Without what is only at hand and with what is in no particular order in one.
fn normal(mut principal: Principal) -> Principal {
    principal.window = CachedWindow::default();
    principal.models.sort_unstable();
    principal.regions.sort_unstable_by_key(|seen| seen.region);
    principal
}

fn check(steps: &[Step]) {
    let principal = principal_after(steps);
    let packed = Packed::new(NAME, &principal, &mut Writer::default()).expect("every principal has an idle form");
    assert_eq!(packed.name(), NAME);
    assert_eq!(packed.worth_and_newest(), (principal.worth(), principal.newest));
    assert_eq!(normal(packed.unpack()), normal(principal));
    let restored = Packed::from_bytes(packed.as_bytes().into()).expect("undamaged");
    assert_eq!(restored.as_bytes(), packed.as_bytes());
}

#[test]
fn packing_loses_nothing() {
    check(&[]);
    check(&[(0, 255, 0, 0)]);
    check(&[(1, 4, 1, 1), (1_800, 4, 2, 7), (1_800, 0, 3, 254), (1_800, 254, 0, 6)]);
    bolero::check!().with_type::<Vec<Step>>().for_each(|steps| check(steps));
}

#[test]
fn damage_is_an_error() {
    let principal = principal_after(&[(1, 4, 1, 1), (1_800, 7, 2, 7), (1_800, 255, 3, 4), (1_800, 254, 0, 6)]);
    let packed = Packed::new(NAME, &principal, &mut Writer::default()).expect("every principal has an idle form");
    for end in 0..packed.as_bytes().len() {
        assert!(Packed::from_bytes(packed.as_bytes()[..end].into()).is_none(), "the first {end} bytes");
    }
    for place in 0..packed.as_bytes().len() {
        for bit in 0..8 {
            let mut bytes = packed.as_bytes().to_vec();
            bytes[place] ^= 1 << bit;
            if let Some(damaged) = Packed::from_bytes(bytes.into()) {
                // Something else, but something.
                assert!(damaged.unpack().days.len() <= packed.as_bytes().len());
            }
        }
    }
}

#[test]
fn an_ordinary_principal_takes_few_bytes() {
    // Four calls half an hour apart, each with an address, a session and a user agent of its own.
    let packed = |calls: usize| {
        let principal =
            principal_after(&[(1_800, 4, 1, 1), (1_800, 4, 2, 2), (1_800, 4, 1, 1), (1_800, 4, 3, 3)][..calls]);
        Packed::new(NAME, &principal, &mut Writer::default()).map_or(0, |packed| packed.as_bytes().len())
    };
    assert!(packed(1) <= 100, "{}", packed(1));
    assert!(packed(4) <= 260, "{}", packed(4));
}
