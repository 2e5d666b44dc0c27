"""Reports that the tests of all forms share."""

from webhook.errors import Problem
from webhook.output.finding import Examined, Finding, Level, Place, Report, Rule

RULE = Rule(
    name="critical-flag",
    title="Only who may flags a VM as critical",
    description="The flag protects a VM.",
    severity="high",
    category="safety",
    reference="https://kubevirt.io/user-guide/compute/live_migration/",
)
OTHER = Rule(name="timeout-bounds", title="Timeouts have bounds", severity="low", reference="KubeVirt, user guide")

DENIED = Finding(
    rule="critical-flag",
    level=Level.ERROR,
    message="VirtualMachine prod/db is flagged critical",
    hint="ask a migration admin",
    place=Place(file="apps/db.yaml", line=14, column=7),
    subject="VirtualMachine prod/db",
    field="metadata.labels",
    properties={"policy": "critical-flag", "code": 403},
)
WARNED = Finding(
    rule="timeout-bounds",
    level=Level.WARNING,
    message="the timeout of 5 s is short",
    subject="VirtualMachine prod/db",
    place=Place(file="apps/db.yaml", line=20, column=3),
)
NOTED = Finding(rule="timeout-bounds", level=Level.NOTE, message="sets spec.timeout to 30", place=DENIED.place)

DB = Examined(
    subject="VirtualMachine prod/db",
    place=Place(file="apps/db.yaml", line=1, column=1),
    findings=(DENIED, WARNED, NOTED),
    notes=("another VM of this name is in staging",),
)
FINE = Examined(subject="VirtualMachine prod/web", place=Place(file="apps/web.yaml", line=1, column=1))
EXEMPT = Examined(
    subject="VirtualMachine prod/old",
    place=Place(file="apps/web.yaml", line=30, column=1),
    skipped="exemption 'old-vms' lets it through",
)

REPORT = Report(
    command="check",
    rules=(RULE, OTHER),
    examined=(DB, FINE, EXEMPT),
    revision="sha256:0123456789abcdef",
    settings={"asked as": "jane"},
    left_out={"no policy is about ConfigMap": 2},
    problems=(Problem("apps/bad.yaml:3:5", "not valid YAML", "check the indentation"),),
)


def report_of(*findings: Finding, rules: tuple[Rule, ...] = (RULE, OTHER)) -> Report:
    """A report on one VM with these findings."""
    return Report(
        command="check", rules=rules, examined=(Examined(subject="VirtualMachine prod/db", findings=findings),)
    )
