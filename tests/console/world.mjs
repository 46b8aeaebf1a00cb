// An invented account in trouble, as the service's answers: what the mock serves.

const NOW = "2026-11-18T15:58:30Z";
const ACCOUNT = "111122223333";
const SHADY = `arn:aws:iam::${ACCOUNT}:user/ml-batch`;
const ADMIN = `arn:aws:iam::${ACCOUNT}:role/platform-admin`;
const GROUP = "sg-0a1b2c3d4e5f60718";
const JOB = `arn:aws:bedrock:us-east-1:${ACCOUNT}:model-customization-job/amazon.titan-text-lite-v1:0:4k/8h2k4m6p9q1r`;

/** Text as an attacker would choose it: markup, an escape, a direction override, one very long word. */
export const HOSTILE = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\u001b[2J\u202egpj.exe ${"w".repeat(300)}`;

/** An alert with these fields. */
export function alert(id, fields) {
  return {
    id,
    rule: "invocation-burst",
    title: "Burst of Bedrock invocations by one principal",
    summary: `${SHADY} made 130 Bedrock calls within 60 seconds in ${ACCOUNT} (283 on 2026-11-18)`,
    severity: "high",
    status: "firing",
    account: ACCOUNT,
    region: "us-east-1",
    subject: { kind: "principal", id: SHADY },
    principal: SHADY,
    trace_id: null,
    actor: {
      arn: SHADY,
      type: "IAMUser",
      access_key_id: "AKIAIOSFODNN7EXAMPLE",
      session_name: null,
      source_ip: "192.0.2.77",
      user_agent: "python-requests/2.32.3",
      via: null,
    },
    first_event_time: "2026-11-18T15:14:20Z",
    last_event_time: "2026-11-18T15:53:59Z",
    event_ids: ["6994f0a2-2255-5ae9-a660-70ef68bf5c47", "24eb0895-a890-5173-89d8-43045713326e"],
    event_count: 283,
    facts: { peak_60s: 130, total: 283, baseline_60s: null, models: 7, regions: 3, failed: 4, learning: true },
    attack: ["T1496.004", "T1078.004"],
    runbook: "rules/invocation-burst/runbook.md",
    remediation: [
      {
        title: "If this was not meant to be: switch the access key of ml-batch off",
        command:
          "# in account 111122223333\naws iam update-access-key \\\n  --user-name ml-batch \\\n  --access-key-id AKIAIOSFODNN7EXAMPLE \\\n  --status Inactive",
      },
    ],
    queries: ["athena", "cloudtrail-lake"].flatMap((language) =>
      ["The events of the alert", "Everything the principal did"].map((title) => ({
        title,
        language,
        text: `SELECT eventTime, eventName\nFROM cloudtrail_logs\nWHERE userIdentity.arn = '${SHADY}'\nORDER BY eventTime`,
      })),
    ),
    ...fields,
  };
}

/** The alerts at the start. */
export const alerts = () => [
  alert("a-deleted", {
    rule: "customization-job-security-group-deleted",
    severity: "critical",
    title: "Security group deleted under a live Bedrock customization job",
    summary: `${ADMIN} deleted security group ${GROUP}, on which a live customization job in ${ACCOUNT} us-east-1 stands`,
    subject: { kind: "customization_job_dependency", id: GROUP },
    principal: ADMIN,
    first_event_time: "2026-11-18T14:58:40Z",
    last_event_time: "2026-11-18T14:58:40Z",
    event_count: 1,
    event_ids: ["a919d6c9-3730-5226-96d6-fec81206a007"],
    attack: ["T1489"],
    facts: {
      deleted_by: ADMIN,
      dependency_account: ACCOUNT,
      jobs: [{ arn: JOB, name: "support-tone-ft-0042", status: "InProgress" }],
    },
    runbook: "https://runbooks.example.com/security-group-deleted",
    remediation: [
      {
        title: "Recreate the security group",
        command: `aws ec2 create-security-group --group-name bedrock-ft --vpc-id vpc-0a1b2c3d`,
      },
      {
        title: "Start the job again, with the new group",
        command: "aws bedrock create-model-customization-job --cli-input-json file://job.json",
      },
    ],
  }),
  alert("a-burst", { region: null }),
  alert("a-logging", {
    rule: "invocation-logging-disabled",
    severity: "critical",
    title: "Model invocation logging switched off",
    summary: `${SHADY} switched model invocation logging off in ${ACCOUNT} eu-west-1; 41 invocations were not logged`,
    subject: { kind: "invocation_logging", id: "4fecdaf1-6b15-5372-8068-18c7873b655a" },
    region: "eu-west-1",
    first_event_time: "2026-11-18T15:31:02Z",
    last_event_time: "2026-11-18T15:31:02Z",
    event_count: 1,
    facts: { blind_since: "2026-11-18T15:31:02Z", blind_invocations: 41, blind_principals: 1, blind_seconds: null },
  }),
  alert("a-hostile", {
    rule: "invocation-probing",
    severity: "medium",
    title: `Probing ${HOSTILE}`,
    summary: HOSTILE,
    subject: { kind: "principal", id: HOSTILE },
    principal: HOSTILE,
    runbook: "javascript:window.hacked=1",
    actor: { arn: HOSTILE, type: "<b>", user_agent: HOSTILE, source_ip: "203.0.113.9" },
    facts: { error_message: HOSTILE, "<b>name</b>": "x" },
    attack: ["<i>T1</i>"],
    remediation: [{ title: HOSTILE, command: `echo '${HOSTILE}'` }],
    queries: [{ title: HOSTILE, language: HOSTILE, text: HOSTILE }],
    last_event_time: "2026-11-18T15:20:00Z",
  }),
  alert("a-over", {
    rule: "invocation-region-fanout",
    title: "Bedrock used from an unusual spread of regions",
    status: "resolved",
    last_event_time: "2026-11-18T15:40:00Z",
  }),
];

/** The history of an alert. */
export const history = (one) => [
  {
    revision: 1,
    at: one.first_event_time,
    kind: "fired",
    status: "firing",
    severity: one.severity,
    summary: one.summary,
    event_count: 1,
    resolution: null,
  },
  ...(one.event_count > 1
    ? [
        {
          revision: 2,
          at: one.last_event_time,
          kind: "updated",
          status: one.status,
          severity: one.severity,
          summary: one.summary,
          event_count: one.event_count,
          resolution: null,
        },
      ]
    : []),
];

const key = (kind, id) => `${kind}:${id}`;
const resource = (kind, id, losses = []) => ({
  key: key(kind, id),
  kind,
  id,
  state: losses.length ? "broken" : "whole",
  losses,
});

const resources = [
  resource("security_group", GROUP, [{ what: "deleted", at: "2026-11-18T14:58:40Z", by: ADMIN }]),
  resource("subnet", "subnet-0f1e2d3c4b5a69788"),
  resource("subnet", "subnet-1f1e2d3c4b5a69788"),
  resource("role", `arn:aws:iam::${ACCOUNT}:role/bedrock-customization`),
  resource("bucket", "acme-training-data"),
  resource("bucket", "acme-model-output"),
  resource("kms_key", "1234abcd-12ab-34cd-56ef-1234567890ab"),
];

const dependent = (kind, id, name, stands_on, fields) => ({
  kind,
  id,
  name,
  account: ACCOUNT,
  region: "us-east-1",
  status: "InProgress",
  live: true,
  started: "2026-11-18T13:40:00Z",
  ended: null,
  stands_on,
  broken: stands_on.includes(key("security_group", GROUP)),
  ...fields,
});
const [group, subnetA, subnetB, role, training, output, kms] = resources.map((one) => one.key);
const dependents = [
  dependent("customization_job", JOB, "support-tone-ft-0042", [group, subnetA, role, training, output, kms]),
  dependent("customization_job", `${JOB}-2`, "claims-summary-ft-0007", [subnetB, role, training, output]),
  dependent(
    "knowledge_base",
    `arn:aws:bedrock:us-east-1:${ACCOUNT}:knowledge-base/KB12345678`,
    "product-manuals",
    [role, output],
    { status: "ACTIVE" },
  ),
  dependent("agent", `arn:aws:bedrock:us-east-1:${ACCOUNT}:agent/AGENT12345`, "service-desk", [role, kms], {
    status: "PREPARED",
  }),
  dependent("customization_job", `${JOB}-0`, "support-tone-ft-0041", [group, training], {
    status: "Completed",
    live: false,
    ended: "2026-11-17T09:00:00Z",
  }),
];

function principal(name, baseline_60s, calls, bursts = []) {
  return {
    principal: `arn:aws:iam::${ACCOUNT}:${name}`,
    account: ACCOUNT,
    calls,
    total: calls.reduce((sum, one) => sum + one, 0),
    baseline_60s,
    bursts,
  };
}
const steady = (most, phase) =>
  Array.from({ length: 60 }, (_, minute) => Math.round(most * (0.6 + 0.4 * Math.sin((minute + phase) / 5))));
const attack = Array.from({ length: 60 }, (_, minute) =>
  minute < 20 ? 0 : minute < 53 ? minute % 7 : [96, 130, 121, 88, 30, 2, 0][minute - 53],
);

/** `/v1/state`. */
export const state = () => ({
  version: "0.4.0",
  now: NOW,
  ready: false,
  reasons: { "sink pager": "has not worked for 42 s: 503 Service Unavailable" },
  firing: { informational: 0, low: 0, medium: 1, high: 1, critical: 2 },
  sinks: [{ name: "pager", waiting: 2, dead_letters: 0, waiting_since: "2026-11-18T15:57:48Z" }],
  silences: 0,
  engine: {
    records: 48_211,
    prefiltered: 45_100,
    judged: 3_111,
    rejected: 2,
    late: 14,
    duplicates: 120,
    alerts_fired: 5,
  },
  batches: 412,
  bytes: 61_000_000,
  unreadable: 0,
  put_aside_future: 0,
  accounts: [
    { account: ACCOUNT, newest_event_time: "2026-11-18T15:58:27Z", principals: 14 },
    { account: "444455556666", newest_event_time: "2026-11-18T15:41:00Z", principals: 3 },
  ],
  dependents: { total: dependents.length, list: structuredClone(dependents) },
  dependencies: structuredClone(resources),
  activity: {
    from: "2026-11-18T14:59:00Z",
    minutes: 60,
    principals_total: 17,
    principals: [
      principal("user/ml-batch", null, attack, [53, 54, 55]),
      principal("role/rag-api", 44, steady(38, 3)),
      principal("role/claims-etl", 21, steady(18, 11)),
      principal("role/notebook-users", 9, steady(6, 29)),
      principal(`role/${"very-long-name-".repeat(12)}`, 3, steady(2, 40)),
    ],
  },
  logging: [
    {
      account: ACCOUNT,
      region: "us-east-1",
      posture: "on",
      since: "2026-10-02T08:00:00Z",
      delivers: ["text", "image", "embedding"],
      destinations: [
        { kind: "bucket", name: "acme-bedrock-logs" },
        { kind: "log_group", name: "/bedrock/invocations" },
      ],
    },
    {
      account: ACCOUNT,
      region: "eu-west-1",
      posture: "off",
      since: "2026-11-18T15:31:02Z",
      delivers: [],
      destinations: [],
    },
    { account: "444455556666", region: "us-east-1", posture: "unknown", since: null, delivers: [], destinations: [] },
  ],
  links: [
    { name: "http", kind: "source", state: "works", detail: null, lag_s: null },
    { name: "111122223333", kind: "events", state: "works", detail: "newest event of the account", lag_s: 3 },
    { name: "store", kind: "store", state: "works", detail: null, lag_s: null },
    {
      name: "pager",
      kind: "sink",
      state: "fails",
      detail: "has not worked for 42 s: 503 Service Unavailable; 2 wait",
      lag_s: 42,
    },
    { name: "slack", kind: "sink", state: "works", detail: null, lag_s: 0 },
  ],
});

/** `/v1/incidents`. */
export const incidents = () => [
  {
    id: "i-a-burst",
    title: "Burst of Bedrock invocations by ml-batch, and 2 more",
    severity: "critical",
    status: "firing",
    score: 71,
    score_parts: { severity: 50, stages: 14, breadth: 7 },
    stages: ["reconnaissance", "blinding", "use"],
    accounts: [ACCOUNT],
    regions: ["eu-west-1", "us-east-1"],
    principals: [SHADY],
    first_event_time: "2026-11-18T15:14:20Z",
    last_event_time: "2026-11-18T15:53:59Z",
    alerts: 3,
    firing: 2,
    is_cut: false,
  },
];

/** `/v1/incidents/ID` of an incident. */
export const report = () => ({
  id: "i-a-burst",
  assessment: "critical, score 71: reconnaissance, blinding, use",
  principals: [SHADY],
  artifacts: { event_ids: ["6994f0a2-2255-5ae9-a660-70ef68bf5c47"] },
  case: { category: "Security", severity: "Business-critical system down" },
  reminders: ["Tell the account team."],
});

/** The steps of it. */
export const timeline = () =>
  alerts()
    .filter((one) => one.id !== "a-deleted" && one.id !== "a-hostile")
    .map((one) => ({
      at: one.first_event_time,
      stage: one.id === "a-logging" ? "blinding" : "use",
      alert: one.id,
      rule: one.rule,
      severity: one.severity,
      status: one.status,
      account: one.account,
      region: one.region,
      principal: one.principal,
      summary: one.summary,
    }));
