"""The papers whose tables and figures are drawn again, by name: reported beside measured. One file for each."""

from __future__ import annotations

from mta_eval.results.paper_longheads import write_longheads
from mta_eval.results.paper_mta import write_mta

PAPERS = {"mta": write_mta, "longheads": write_longheads}
