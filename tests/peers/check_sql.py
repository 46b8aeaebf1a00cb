"""Parses the queries on standard input, one JSON object a line with language and text, as Athena and Presto would.

Prints one line for each that does not parse, or is not exactly one statement of the kind it should be.
"""

import json
import re
import sys

import sqlglot
from sqlglot import exp

# CloudTrail Lake is Presto. `$EDS_ID` stands for the id of an event data store, which is a UUID with underscores there.
DIALECTS = {"athena": "athena", "cloudtrail-lake": "presto"}
STORE = "edcba987_0000_0000_0000_000000000000"


def written(literal):
    """The text that a literal with Unicode escapes stands for; sqlglot leaves it as it is written."""
    escape = r"\\(?:\+([0-9A-Fa-f]{6})|([0-9A-Fa-f]{4})|\\)"
    return re.sub(escape, lambda match: chr(int(match[1] or match[2] or "5c", 16)), literal)


def fault(query):
    dialect = DIALECTS[query["language"]]
    text = query["text"].replace("$EDS_ID", STORE)
    try:
        statements = sqlglot.parse(text, dialect=dialect)
    except sqlglot.errors.SqlglotError as error:
        return str(error)
    if len(statements) != 1:
        return f"{len(statements)} statements"
    wanted = exp.Create if text.startswith("CREATE") else exp.Select
    # What sqlglot does not understand it keeps as a command.
    if not isinstance(statements[0], wanted):
        return f"a {type(statements[0]).__name__}, not a {wanted.__name__}"
    texts = [literal.this for literal in statements[0].find_all(exp.Literal) if literal.is_string]
    texts += [written(literal.this) for literal in statements[0].find_all(exp.UnicodeString)]
    if "holds" in query and query["holds"].replace("$EDS_ID", STORE) not in texts:
        return f"no text is {query['holds']!r}"
    return None


count = 0
for line in sys.stdin:
    query = json.loads(line)
    count += 1
    found = fault(query)
    if found is not None:
        print(f"{query['title']} ({query['language']}): {found}\n{query['text']}")
print(f"{count} parsed", file=sys.stderr)
