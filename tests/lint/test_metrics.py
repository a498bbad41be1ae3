"""A metric, a dimension or a member of a log line that nobody publishes is found."""

import copy
import json
import unittest

import metrics
from cfnlint.decode.decode import decode

TEMPLATE = json.loads(json.dumps(decode(str(metrics.ROOT / "template.yaml"))[0]))


def read(file):
    return (metrics.ROOT / file).read_text()


class Metrics(unittest.TestCase):
    def setUp(self):
        self.template = copy.deepcopy(TEMPLATE)

    def properties(self, name):
        return self.template["Resources"][name]["Properties"]

    def found(self, reader=read):
        return list(metrics.faults(self.template, reader))

    def test_all_that_the_template_names_is_published(self):
        self.assertEqual(self.found(), [])

    def test_an_alarm_on_a_metric_that_nobody_publishes(self):
        self.properties("UnsettledOrdersAlarm")["MetricName"] = "UnsettledOrder"
        self.assertEqual(self.found(), ["UnsettledOrdersAlarm: nobody publishes UnsettledOrder of ours by nothing"])

    def test_an_alarm_on_another_dimension(self):
        self.properties("RatingAverageIteratorAgeAlarm")["Dimensions"][0]["Name"] = "Function"
        self.assertEqual(len(self.found()), 1)

    def test_metric_math_on_a_metric_that_nobody_publishes(self):
        self.properties("ApiFaultsAlarm")["Metrics"][1]["MetricStat"]["Metric"]["MetricName"] = "5XXError"
        self.assertEqual(len(self.found()), 1)

    def test_a_graph_and_a_search_of_what_nobody_publishes(self):
        body = self.properties("Dashboard")["DashboardBody"]["Fn::Sub"]
        for old, new in [
            ('"IntegrationLatency"', '"IntegrationTime"'),
            ('MetricName=\\"Faults\\"', 'MetricName=\\"Failures\\"'),
            ("${MetricsNamespace},Function}", "${MetricsNamespace},Route}"),
            ("${AWS::StackName}-event-ingest", "${AWS::StackName}-event-digest"),
            ("sum(ColdStart)", "sum(ColdStarts)"),
        ]:
            with self.subTest(new=new):
                self.assertTrue(old in body[0])
                self.properties("Dashboard")["DashboardBody"]["Fn::Sub"] = [body[0].replace(old, new), body[1]]
                self.assertTrue(self.found())

    def test_a_query_of_a_member_that_no_line_has(self):
        query = self.properties("GatewayQuery")
        query["QueryString"] = query["QueryString"].replace("integration_ms", "function_ms")
        self.assertEqual(self.found(), ["GatewayQuery: lines of ApiLogGroup have no function_ms"])

    def test_code_that_no_longer_writes_a_metric(self):
        found = self.found(lambda file: read(file).replace('"EventLag"', '"Lag"'))
        self.assertEqual(found, ["shared/app/src/metric_log.rs does not write the metric EventLag"])

    def test_members_are_named_as_serde_names_them(self):
        code = '''#[serde(rename_all = "camelCase")]
struct Line<\'a> {
    order_id: u8,
    #[serde(rename = "level", skip_serializing_if = "Option::is_none")]
    how_bad: u8,
}'''
        self.assertEqual(metrics.members(code), {"orderId", "level"})


if __name__ == "__main__":
    unittest.main()
