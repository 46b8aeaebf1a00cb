//! The keys of traces and metrics over OTLP.

use super::{
    super::telemetry::{METRICS_EVERY_S, TIMEOUT_MS},
    Key, Kind, flag, number, optional_choice, optional_text, texts,
};

pub(super) const TELEMETRY: &[Key] = &[
    optional_text(
        "endpoint",
        "http://127.0.0.1:4318",
        "The OTLP receiver of traces and metrics. Without it, what OTEL_EXPORTER_OTLP_ENDPOINT and its kin say; without \
         those, nothing is sent.",
    ),
    optional_choice(
        "protocol",
        &["grpc", "http/protobuf"],
        "http/protobuf",
        "How it is spoken to. Without it, OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf.",
    ),
    Key {
        name: "headers",
        kind: Kind::Secrets,
        doc: "Headers of each request, such as the key of a hosted receiver.",
        sample: "{ \"authorization\" = \"${OTLP_TOKEN}\" }",
        required: false,
    },
    flag("traces", true, "Whether traces are sent. Every alert is traced."),
    flag("metrics", true, "Whether metrics are sent; /metrics has them in any case."),
    number(
        "batches_sampled_per_million",
        10_000,
        0,
        1_000_000,
        "Of a million batches of records that change no alert, so many are traced.",
    ),
    number("metrics_interval_s", METRICS_EVERY_S, 1, 3_600, "How often metrics are sent, in seconds."),
    number("timeout_ms", TIMEOUT_MS, 1, 300_000, "How long a request may take, in milliseconds."),
    texts(
        "resource",
        "[\"deployment.environment.name=production\"]",
        "Resource attributes beside service.name, service.version and service.instance.id, as name=value.",
    ),
];
