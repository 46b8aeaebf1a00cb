//! Packing loses nothing, what is forgotten leaves nothing behind, and damaged bytes are an error and never worse.

use std::collections::{BTreeMap, BTreeSet};

use super::{super::dependent::Slot, *};

const ARN: &str = "arn:aws:bedrock:us-east-1:111122223333:model-customization-job/nova:0:300k/abc";

fn job(number: u32) -> Dependent {
    let text = |text: &str| Some(Box::from(text));
    let set = |texts: &[&str]| -> BTreeSet<Box<str>> { texts.iter().map(|text| Box::from(*text)).collect() };
    let pairs = |value: &str| BTreeMap::from([("epochCount".into(), value.into()), ("".into(), "".into())]);
    let mut job = Dependent {
        kind: Kind::CustomizationJob,
        arn: Some(format!("{ARN}{number}").into()),
        name: text("tune"),
        account: "111122223333".into(),
        region: "us-east-1".into(),
        started: Some(Second(100)),
        stopping: number.is_multiple_of(2),
        parent: text("whole"),
        security_groups: set(&["sg-1", "sg-2"]),
        subnets: set(&["subnet-1", ""]),
        role_arn: text("arn:aws:iam::111122223333:role/path/tuner"),
        kms_key: text("key"),
        needs: BTreeSet::from([ResourceKey::Bucket("needed".into())]),
        output_model: text("model"),
        output_model_arn: text("arn:aws:bedrock:us-east-1:111122223333:custom-model/model"),
        training_uri: text("s3://bucket/train/"),
        validation_uris: set(&["s3://bucket/a/b", "no slash"]),
        output_uri: text(""),
        base_model: text("nova"),
        customization_type: text("FINE_TUNING"),
        hyper_parameters: pairs("2"),
        job_tags: pairs("job"),
        model_tags: pairs("ü"),
        ..Dependent::default()
    };
    job.end(Second(200).plus(number), "Stopped");
    job.rename(Second(150), "event", Some("renamed".to_owned()));
    job.exchange(Slot::Key, Second(150), "event", Some(ResourceKey::KmsKey("other".into())));
    job
}

fn samples() -> Vec<Dependent> {
    let bare = Dependent { kind: Kind::Agent, name: Some("".into()), ..Dependent::default() };
    vec![job(1), job(2), Dependent::default(), bare]
}

#[test]
fn packing_loses_nothing_and_uses_texts_until_it_is_released() {
    let (mut texts, mut writer) = (Texts::default(), Writer::default());
    let packed: Vec<Packed> = samples().iter().map(|one| Packed::new(one, &mut texts, &mut writer)).collect();
    for (packed, one) in packed.iter().zip(samples()) {
        assert_eq!(packed.unpack(&texts).as_ref(), Some(&one));
        assert!(one.resources().iter().all(|resource| one.stands_on(resource)), "{one:?}");
        let head = packed.head(&texts).expect("is readable");
        assert_eq!((head.kind, head.account, head.started), (one.kind, &*one.account, one.started));
        assert_eq!(head.ended, one.end_of_its_own().map(|end| end.at));
        let again = Packed::from_bytes(packed.as_bytes(), &texts).expect("is readable");
        assert_eq!(again.unpack(&texts), Some(one));
    }
    for packed in &packed {
        packed.release(&mut texts);
    }
    assert!((0..1_000).all(|number| texts.get(number).is_none()));
}

#[test]
fn damaged_bytes_are_an_error() {
    let mut texts = Texts::default();
    let packed = Packed::new(&job(1), &mut texts, &mut Writer::default());
    let bytes = packed.as_bytes();
    for length in 0..bytes.len() {
        assert!(Packed::from_bytes(&bytes[..length], &texts).is_none(), "cut after {length}");
    }
    assert!(Packed::from_bytes(bytes, &Texts::default()).is_none(), "texts that are not there");
    for place in 0..bytes.len() {
        for byte in [0, 1, 2, 127, 128, 255] {
            let mut bytes = bytes.to_vec();
            bytes[place] = byte;
            drop(Packed::from_bytes(&bytes, &texts).and_then(|packed| packed.unpack(&texts)));
        }
    }
}

fn wanted(arn: Option<&'static str>, name: Option<&'static str>) -> DependentRef<'static> {
    DependentRef { kind: Kind::CustomizationJob, account: "111122223333", region: "us-east-1", arn, name }
}

#[test]
fn is_found_by_all_that_it_stands_on_and_by_nothing_once_it_is_forgotten() {
    let mut dependents = Dependents::default();
    let group = |id: &str| ResourceKey::SecurityGroup(id.into());
    for (arn, name, id) in [("arn/1", "one", "sg-1"), ("arn/2", "two", "sg-both"), ("arn/3", "one", "sg-3")] {
        dependents.update(wanted(Some(arn), Some(name)), |job| {
            job.existed_at(Second(100));
            job.security_groups.extend([Box::from(id), Box::from("sg-both")]);
        });
    }
    let check = |dependents: &Dependents, id: &str, expected: &[&str]| {
        let users = dependents.users_of(&group(id));
        assert_eq!(users.values().map(Dependent::label).collect::<Vec<_>>(), expected, "{id}");
        assert_eq!(dependents.is_used(&group(id)), !expected.is_empty(), "{id}");
    };
    let found = |dependents: &Dependents, arn: Option<&'static str>, name: Option<&'static str>| {
        dependents.find(wanted(arn, name)).map(|(_, one)| one.label().to_owned())
    };
    check(&dependents, "sg-1", &["arn/1"]);
    check(&dependents, "sg-both", &["arn/1", "arn/2", "arn/3"]);
    check(&dependents, "sg-none", &[]);
    assert_eq!(found(&dependents, None, Some("one")).as_deref(), Some("arn/3"));
    assert_eq!(found(&dependents, Some("arn/9"), Some("one")), None, "another of the same name");
    assert_eq!(dependents.by_arn("arn/2").and_then(|one| one.name).as_deref(), Some("two"));
    let snapshot = postcard::to_allocvec(&dependents).expect("serialises");
    let mut restored: Dependents = postcard::from_bytes(&snapshot).expect("deserialises");
    assert_eq!(postcard::to_allocvec(&restored).expect("serialises"), snapshot);
    for kept in [2, 1, 0] {
        assert_eq!(restored.evict(Kind::CustomizationJob, 3).count, 1);
        assert_eq!((restored.len(), restored.len_beside(Kind::CustomizationJob)), (kept, kept));
    }
    check(&restored, "sg-both", &[]);
    assert_eq!(found(&restored, Some("arn/2"), Some("two")), None);
    restored.update(wanted(None, Some("one")), |job| job.stopping = true);
    assert_eq!((restored.len(), found(&restored, None, Some("one")).as_deref()), (1, Some("one")));
}

#[test]
fn what_it_stands_on_no_longer_is_touched_a_last_time() {
    let mut dependents = Dependents::default();
    let role = |name: &str| ResourceKey::Role { account: "1".into(), name: name.into() };
    let set = |name: &'static str| {
        move |job: &mut Dependent| job.role_arn = Some(format!("arn:aws:iam::1:role/{name}").into())
    };
    assert_eq!(dependents.update(wanted(Some("arn/1"), None), set("b")), BTreeSet::from([role("b")]));
    assert_eq!(dependents.update(wanted(Some("arn/1"), None), set("a")), BTreeSet::from([role("a"), role("b")]));
    assert!(dependents.is_used(&role("a")) && !dependents.is_used(&role("b")));
}

#[test]
fn outlines_say_who_acts_under_a_role_and_until_when() {
    let mut dependents = Dependents::default();
    let arn = |name: &str| format!("arn:aws:iam::1:role/path/{name}");
    let role = |name: &str| ResourceKey::Role { account: "1".into(), name: name.into() };
    let one = |kind: Kind, arn: &'static str| DependentRef { kind, arn: Some(arn), ..wanted(None, None) };
    dependents.update(one(Kind::BatchJob, "batch"), |job| {
        job.existed_at(Second(10));
        job.role_arn = Some(arn("a").into());
        job.needs.insert(ResourceKey::Bucket("in".into()));
    });
    dependents.update(one(Kind::Agent, "agent"), |agent| {
        agent.exchange_role(Second(10), "1", Some(&arn("a")));
        agent.exchange_role(Second(20), "2", Some(&arn("b")));
    });
    dependents.update(one(Kind::KnowledgeBase, "base"), |base| {
        base.exchange_role(Second(10), "1", Some(&arn("a")));
        base.end(Second(30), "Deleted");
    });
    dependents.update(one(Kind::IngestionJob, "base/job"), |job| {
        job.existed_at(Second(10));
        job.parent = Some("base".into());
    });
    let check = |name: &str, expected: &[(Kind, Option<u32>)]| {
        let outlines = dependents.outlines_under(&role(name));
        let found: Vec<_> = outlines.iter().map(|one| (one.kind, one.end.map(|end| end.at.0))).collect();
        assert_eq!(found, expected, "{name}");
    };
    let batch_end = Kind::BatchJob.age_max_s().map(|age| Second(10).plus(age).0);
    let of_base = [(Kind::KnowledgeBase, Some(30)), (Kind::IngestionJob, Some(30))];
    check("a", &[&[(Kind::BatchJob, batch_end), (Kind::Agent, None)], of_base.as_slice()].concat());
    check("b", &[(Kind::Agent, None)]);
    check("c", &[]);
    for outline in dependents.outlines() {
        let one = dependents.get(outline.number).expect("is known");
        assert_eq!((outline.kind, outline.started, outline.end), (one.kind, one.started, dependents.end_of(&one)));
    }
}

/// A snapshot holds hashes: whoever changes how they are made raises its version.
#[test]
fn hashes_stay_what_they_are() {
    let resource = ResourceKey::SecurityGroup("sg-1".into());
    assert_eq!([Key::Arn("arn").hash(), Key::Resource(&resource).hash()], [3_441_785_395, 1_851_223_421]);
}
