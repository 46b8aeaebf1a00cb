//! `[telemetry]` as it holds, with what OpenTelemetry's environment variables add to it.
//!
//! What the file says other than the default goes before the environment, and what the environment says of one signal before what it says of
//! both. As OpenTelemetry asks, a variable with a value that cannot be used is told of and left out.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Url;

use super::{Problem, Secret};

/// How a receiver is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC, usually on port 4317.
    Grpc,
    /// Protobuf over HTTP/1.1, usually on port 4318.
    HttpProtobuf,
}

impl Protocol {
    /// The name in the configuration and in the environment.
    fn of(name: &str) -> Option<Self> {
        match name {
            "grpc" => Some(Self::Grpc),
            "http/protobuf" => Some(Self::HttpProtobuf),
            _ => None,
        }
    }
}

/// Where one kind of telemetry goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalConfig {
    /// The receiver; over HTTP with the signal's path.
    pub url: Url,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Sent with each request.
    pub headers: BTreeMap<String, Secret>,
    /// How long a request may take.
    pub timeout: Duration,
}

/// What is told to machines that watch the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// Where traces go; `None` is nowhere.
    pub traces: Option<SignalConfig>,
    /// Where metrics go beside `/metrics`.
    pub metrics: Option<SignalConfig>,
    /// Of a million batches that raise no alert, so many are traced.
    pub batches_sampled_per_million: u32,
    /// How often metrics are sent.
    pub metrics_every: Duration,
    /// Who it is from, beside what is always said.
    pub resource: BTreeMap<String, String>,
}

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) endpoint: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) headers: BTreeMap<String, Secret>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) metrics_interval_s: Option<u64>,
    pub(super) has_traces: bool,
    pub(super) has_metrics: bool,
    pub(super) batches_sampled_per_million: u32,
    pub(super) resource: BTreeMap<String, String>,
    /// The region in `[aws]`.
    pub(super) region: Option<String>,
}

/// OpenTelemetry's default: how long a request may take, in milliseconds.
pub(super) const TIMEOUT_MS: u64 = 10_000;
/// OpenTelemetry's default: how often metrics are sent, in seconds.
pub(super) const METRICS_EVERY_S: u64 = 60;

/// Variables that say in which region a program of AWS is, the first that has a value.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// Begins what a task of ECS says of where it runs in `AWS_EXECUTION_ENV`.
const IN_ECS: &str = "AWS_ECS_";

/// What exporters of others heed.
const UNHEEDED: [&str; 4] = ["COMPRESSION", "CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"];
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";

/// The environment, and what is wrong with it.
struct Environment<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    warnings: Vec<Problem>,
}

impl Environment<'_> {
    /// A variable that has a value.
    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A variable's value as what it should be.
    fn read<T>(&mut self, name: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            // The value may be a secret.
            let message = format!("it is not {expected} and is left out");
            self.warnings.push(Problem { file: format!("environment variable {name}"), line: 1, column: 1, message });
        }
        value
    }

    /// Where in AWS this is, as far as it is known; nothing where nobody speaks of AWS.
    fn cloud(&self, region: Option<&str>) -> BTreeMap<String, String> {
        let region = region.map(str::to_owned).or_else(|| REGIONS.iter().find_map(|name| self.text(name)));
        let in_ecs = self.text("AWS_EXECUTION_ENV").is_some_and(|kind| kind.starts_with(IN_ECS));
        let provider = (region.is_some() || in_ecs).then(|| "aws".to_owned());
        let known = [
            ("cloud.provider", provider),
            ("cloud.platform", in_ecs.then(|| "aws_ecs".to_owned())),
            ("cloud.region", region),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// What somebody relies on and is not there.
    fn warn_of_unheeded(&mut self) {
        let signals = ["", "TRACES_", "METRICS_"].into_iter();
        let names = signals.flat_map(|signal| UNHEEDED.map(|what| format!("OTEL_EXPORTER_OTLP_{signal}{what}")));
        let is_set = |name: &String| self.text(name).is_some_and(|value| value != "none");
        let found: Vec<String> = names.chain([SAMPLER.to_owned()]).filter(is_set).collect();
        for name in found {
            let message = if name == SAMPLER {
                "it is left out: every alert is traced, and batches_sampled_per_million in [telemetry] says how many batches"
            } else {
                "it is left out: nothing is compressed, and only the certificates of the machine are trusted"
            };
            let (file, message) = (format!("environment variable {name}"), message.to_owned());
            self.warnings.push(Problem { file, line: 1, column: 1, message });
        }
    }

    /// A variable of one signal, or else of both, with the name it was found under.
    fn of_signal(&self, signal: &str, what: &str) -> Option<String> {
        let names = [format!("OTEL_EXPORTER_OTLP_{signal}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find(|name| self.text(name).is_some())
    }

    fn read_of_signal<T>(
        &mut self,
        (signal, what): (&str, &str),
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let name = self.of_signal(signal, what)?;
        self.read(&name, expected, read)
    }
}

/// What holds; `environment` answers variables.
pub(super) fn resolve(
    written: &Written,
    environment: &dyn Fn(&str) -> Option<String>,
) -> (TelemetryConfig, Vec<Problem>) {
    let mut environment = Environment { get: environment, warnings: Vec::new() };
    let is_off = environment.text("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let mut signal = |name: &'static str, path: &str, wanted: bool| {
        let none = environment.text(&format!("OTEL_{name}_EXPORTER")).is_some_and(|value| value == "none");
        if wanted && !none && !is_off { signal(written, name, path, &mut environment) } else { None }
    };
    let traces = signal("TRACES", "v1/traces", written.has_traces);
    let metrics = signal("METRICS", "v1/metrics", written.has_metrics);
    let every = written.metrics_interval_s.map(|seconds| seconds.saturating_mul(1_000)).or_else(|| {
        environment.read("OTEL_METRIC_EXPORT_INTERVAL", "a number of milliseconds", |text| text.parse().ok())
    });
    let mut resource = environment.cloud(written.region.as_deref());
    resource.extend(environment.read("OTEL_RESOURCE_ATTRIBUTES", "a list of name=value", pairs).unwrap_or_default());
    resource.extend(environment.text("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name)));
    resource.extend(written.resource.clone());
    if traces.is_some() || metrics.is_some() {
        environment.warn_of_unheeded();
    }
    let config = TelemetryConfig {
        traces,
        metrics,
        batches_sampled_per_million: written.batches_sampled_per_million,
        metrics_every: Duration::from_millis(every.unwrap_or(METRICS_EVERY_S.saturating_mul(1_000)).max(1_000)),
        resource,
    };
    (config, environment.warnings)
}

fn signal(written: &Written, name: &str, path: &str, environment: &mut Environment<'_>) -> Option<SignalConfig> {
    let protocols = "grpc or http/protobuf";
    let protocol = written.protocol.as_deref().and_then(Protocol::of);
    let protocol = protocol.or_else(|| environment.read_of_signal((name, "PROTOCOL"), protocols, Protocol::of));
    let protocol = protocol.unwrap_or(Protocol::HttpProtobuf);
    let url = match &written.endpoint {
        Some(endpoint) => with_path(endpoint, protocol, path)?,
        None => {
            let variable = environment.of_signal(name, "ENDPOINT")?;
            let is_whole = variable.contains(name);
            let read = |text: &str| if is_whole { address(text) } else { with_path(text, protocol, path) };
            environment.read(&variable, "an address that begins with http:// or https://", read)?
        }
    };
    let given = environment.read_of_signal((name, "HEADERS"), "a list of name=value", pairs).unwrap_or_default();
    let mut headers: BTreeMap<String, Secret> =
        given.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    headers.extend(written.headers.clone());
    let milliseconds = "a number of milliseconds";
    let timeout = written
        .timeout_ms
        .or_else(|| environment.read_of_signal((name, "TIMEOUT"), milliseconds, |text| text.parse().ok()));
    Some(SignalConfig { url, protocol, headers, timeout: Duration::from_millis(timeout.unwrap_or(TIMEOUT_MS)) })
}

/// An address of HTTP. Whoever must prove who they are has headers for that, which are never shown.
pub(super) fn address(text: &str) -> Option<Url> {
    let is_plain = |url: &Url| url.has_host() && url.username().is_empty() && url.password().is_none();
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && is_plain(url))
}

/// The address of a signal below the one of both; gRPC has none of its own.
fn with_path(text: &str, protocol: Protocol, path: &str) -> Option<Url> {
    let mut url = address(text)?;
    if protocol == Protocol::HttpProtobuf {
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
    }
    Some(url)
}

/// `name=value,name=value`, with values that may be percent-encoded.
fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
        pairs.insert(name.trim().to_owned(), value.into_owned());
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(written: Written, variables: &[(&str, &str)]) -> (TelemetryConfig, Vec<String>) {
        let environment =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let (config, warnings) = resolve(&written, &environment);
        (config, warnings.iter().map(ToString::to_string).collect())
    }

    fn written() -> Written {
        Written { has_traces: true, has_metrics: true, ..Written::default() }
    }

    #[test]
    fn nothing_is_sent_unless_somebody_says_where() {
        let (config, warnings) = resolved(written(), &[("OTEL_EXPORTER_OTLP_HEADERS", "a=b")]);
        assert_eq!((config.traces, config.metrics, warnings.len()), (None, None, 0));
    }

    #[test]
    fn addresses_follow_from_protocol_and_signal() {
        let check = |variables: &[(&str, &str)], traces: &str, metrics: &str| {
            let (config, warnings) = resolved(written(), variables);
            let url = |signal: Option<SignalConfig>| signal.map(|signal| signal.url.to_string()).unwrap_or_default();
            assert_eq!((url(config.traces).as_str(), url(config.metrics).as_str()), (traces, metrics), "{variables:?}");
            assert_eq!(warnings, Vec::<String>::new(), "{variables:?}");
        };
        let both = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        check(&[both], "http://collector:4318/v1/traces", "http://collector:4318/v1/metrics");
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        check(&[both, grpc], "http://collector:4318/", "http://collector:4318/");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example.com/in");
        check(&[traces], "https://traces.example.com/in", "");
        check(&[traces, both], "https://traces.example.com/in", "http://collector:4318/v1/metrics");
        check(&[both, ("OTEL_SDK_DISABLED", "true")], "", "");
        check(&[both, ("OTEL_METRICS_EXPORTER", "none")], "http://collector:4318/v1/traces", "");
    }

    #[test]
    fn the_file_goes_before_the_environment() {
        let file = Written {
            endpoint: Some("http://here:4317".to_owned()),
            protocol: Some("grpc".to_owned()),
            headers: BTreeMap::from([("x-key".to_owned(), Secret::new("of-the-file".to_owned()))]),
            timeout_ms: Some(5),
            ..written()
        };
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://there:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-environment,authorization=Basic%20abc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "7"),
            ("OTEL_SERVICE_NAME", "watch"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,team=blue"),
        ];
        let (config, warnings) = resolved(file, &variables);
        assert_eq!(warnings, Vec::<String>::new());
        let traces = config.traces.unwrap();
        assert_eq!((traces.url.as_str(), traces.protocol), ("http://here:4317/", Protocol::Grpc));
        assert_eq!(traces.timeout, Duration::from_millis(5));
        let headers: Vec<(&str, &str)> =
            traces.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(headers, [("authorization", "Basic abc"), ("x-key", "of-the-file")]);
        let resource: Vec<(String, String)> = config.resource.into_iter().collect();
        assert_eq!(resource, [("service.name", "watch"), ("team", "blue")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn says_where_in_aws_it_is_as_far_as_it_is_known() {
        let check = |region: Option<&str>, variables: &[(&str, &str)], expected: &[(&str, &str)]| {
            let written = Written { region: region.map(str::to_owned), ..written() };
            let resource: Vec<(String, String)> = resolved(written, variables).0.resource.into_iter().collect();
            let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            assert_eq!(resource, expected, "{region:?} {variables:?}");
        };
        let (aws, ecs) = (("cloud.provider", "aws"), ("cloud.platform", "aws_ecs"));
        let fargate = ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE");
        check(None, &[], &[]);
        check(None, &[("AWS_REGION", "eu-west-1")], &[aws, ("cloud.region", "eu-west-1")]);
        check(Some("eu-north-1"), &[("AWS_REGION", "eu-west-1")], &[aws, ("cloud.region", "eu-north-1")]);
        check(None, &[("AWS_REGION", " "), ("AWS_DEFAULT_REGION", "us-east-1")], &[aws, ("cloud.region", "us-east-1")]);
        check(None, &[fargate], &[ecs, aws]);
        check(None, &[("AWS_EXECUTION_ENV", "CloudShell")], &[]);
        let said = ("OTEL_RESOURCE_ATTRIBUTES", "cloud.provider=other,cloud.account.id=111122223333");
        let account = ("cloud.account.id", "111122223333");
        check(Some("eu-west-1"), &[said], &[account, ("cloud.provider", "other"), ("cloud.region", "eu-west-1")]);
    }

    #[test]
    fn warns_of_what_others_heed() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://there:4318"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/ca.pem"),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ];
        let (_, warnings) = resolved(written(), &variables);
        assert!(warnings.len() == 2 && warnings[0].contains("CERTIFICATE"), "{warnings:?}");
        assert_eq!(resolved(written(), &variables[1..]).1, Vec::<String>::new(), "nothing is sent");
    }

    #[test]
    fn values_that_cannot_be_used_are_told_of_without_being_shown() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://there:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "secret-without-a-name"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "often"),
        ];
        let (config, warnings) = resolved(written(), &variables);
        assert_eq!(config.metrics.unwrap().protocol, Protocol::HttpProtobuf);
        assert_eq!(config.metrics_every, Duration::from_secs(60));
        let named = ["TRACES_HEADERS", "METRICS_PROTOCOL", "EXPORT_INTERVAL"];
        assert!(
            warnings.len() == 3 && warnings.iter().zip(named).all(|(said, name)| said.contains(name)),
            "{warnings:?}"
        );
        assert!(!format!("{warnings:?}").contains("secret-without"));
    }
}
