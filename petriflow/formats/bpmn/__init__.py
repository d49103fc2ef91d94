"""BPMN 2.0: the process models of other tools."""

from petriflow.formats.bpmn.model import BpmnModel, read_bpmn
from petriflow.formats.bpmn.report import ImportReport, Item

__all__ = ["BpmnModel", "ImportReport", "Item", "read_bpmn"]
