"""All records in SQL behind one name."""

from streamer.store.audit import AuditRecords
from streamer.store.people import PeopleRecords
from streamer.store.plans import PlanRecords
from streamer.store.projection import ProjectionRecords


class Records(PlanRecords, ProjectionRecords, PeopleRecords, AuditRecords):
    """`Records(db)`: plans, what happened, people and the audit log.

    Every method is one transaction and raises Unavailable when the database cannot be reached.
    What a person changes (`by`) is written to the audit log in the same transaction.
    """
