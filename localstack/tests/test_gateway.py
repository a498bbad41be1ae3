"""emulator/gateway.py and emulator/openapi.py, over HTTP."""

import base64
import json
import threading
import time
import urllib.error

from tests.harness import Case


class Routes(Case):
    def test_a_route_of_the_body_is_matched_and_its_parameter_decoded(self):
        event = self.system.event("GET", "/things/a%20b%2Bc?x=1&x=%C3%A9&y=")
        self.assertEqual(event["routeKey"], "GET /things/{id}")
        self.assertEqual(event["pathParameters"], {"id": "a b+c"})
        self.assertEqual(event["rawQueryString"], "x=1&x=%C3%A9&y=")
        self.assertEqual(event["queryStringParameters"], {"x": "1,é", "y": ""})

    def test_what_no_route_matches_goes_to_default_whatever_the_method(self):
        for method in ("GET", "HEAD", "TRACE", "OPTIONS", "PROPFIND", "DELETE"):
            with self.subTest(method):
                status, headers, _body = self.system.request(method, "/elsewhere/1")
                self.assertEqual(status, 200)
                self.assertIn("apigw-requestid", headers)
        self.assertEqual(self.system.event("DELETE", "/things/1")["routeKey"], "$default")
        self.assertEqual(self.system.event("OPTIONS", "/things/1")["routeKey"], "$default")

    def test_further_leading_slashes_do_not_change_the_route(self):
        event = self.system.event("GET", "//things/1")
        self.assertEqual((event["routeKey"], event["rawPath"]), ("GET /things/{id}", "//things/1"))

    def test_a_head_request_has_no_body(self):
        status, _headers, body = self.system.request("HEAD", "/things/1")
        self.assertEqual((status, body), (200, b""))

    def test_an_update_of_the_stack_replaces_the_routes(self):
        self.addCleanup(self.system.deploy)
        self.assertEqual(self.system.event("GET", "/extra")["routeKey"], "$default")
        self.system.deploy(ExtraRoute="true")
        self.assertEqual(self.system.event("GET", "/extra")["routeKey"], "GET /extra")
        self.system.deploy()
        self.assertEqual(self.system.event("GET", "/extra")["routeKey"], "$default")

    def test_the_aws_port_serves_the_same_api_by_host(self):
        from urllib.request import Request, urlopen

        api = self.system.client("apigatewayv2").get_apis()["Items"][0]["ApiId"]
        request = Request(self.system.instance.record["endpointUrl"] + "/things/1")
        request.add_header("Host", f"{api}.execute-api.localhost:4566")
        self.assertEqual(json.load(urlopen(request))["event"]["routeKey"], "GET /things/{id}")


class Authorization(Case):
    def patch(self, *lines):
        return self.system.request("PATCH", "/things/1", headers=list(lines))

    def test_the_default_authorizer_guards_a_route(self):
        status, _headers, body = self.patch()
        self.assertEqual((status, json.loads(body)), (401, {"message": "Unauthorized"}))
        status, _headers, body = self.patch(("Authorization", "Bearer bad"))
        self.assertEqual((status, json.loads(body)), (403, {"message": "Forbidden"}))
        status, _headers, body = self.patch(("Authorization", "Bearer broken"))
        self.assertEqual((status, json.loads(body)), (500, {"message": "Internal Server Error"}))
        self.assertEqual(self.patch(("Authorization", "Bearer good"))[0], 200)

    def test_the_authorizer_sees_the_caller_and_its_context_reaches_the_function(self):
        event = self.system.event(
            "PATCH", "/things/1?a=b", headers={"Authorization": "Bearer good", "cookie": "a=1"}, source="127.0.0.3"
        )
        seen = json.loads(event["requestContext"]["authorizer"]["lambda"]["event"])
        self.assertEqual(seen["type"], "REQUEST")
        self.assertNotIn(None, seen.values())
        # A cached result belongs to the call that it answered; only members that all calls share can be compared.
        self.assertEqual(seen["identitySource"], ["Bearer good"])
        self.assertIn("sourceIp", seen["requestContext"]["http"])

    def number_of_the_context(self):
        event = self.system.event("PATCH", "/things/1", headers={"Authorization": "Bearer good"})
        context = event["requestContext"]["authorizer"]["lambda"]
        self.assertIs(context["flag"], True)
        return context["number"]

    def test_a_number_of_the_authorizers_context_comes_as_a_test_wants_it(self):
        self.addCleanup(self.system.control, "DELETE", "authorizer")
        for numbers, expected in (("string", "1763659827"), ("float", 1763659827.0), ("same", 1763659827)):
            self.system.control("PUT", "authorizer", {"numbers": numbers})
            found = self.number_of_the_context()
            self.assertEqual((found, type(found)), (expected, type(expected)))
        self.system.control("PUT", "authorizer", {"numbers": "any", "seed": 1})
        self.assertEqual({type(self.number_of_the_context()) for _ in range(20)}, {str, float, int})
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.system.control("PUT", "authorizer", {"numbers": "roman"})
        self.assertEqual(refused.exception.code, 400)

    def test_an_authorizer_result_is_cached(self):
        one = self.system.event("PATCH", "/things/1", headers={"Authorization": "Bearer good"})
        other = self.system.event("PATCH", "/things/2", headers={"Authorization": "Bearer good"})
        self.assertEqual(one["requestContext"]["authorizer"], other["requestContext"]["authorizer"])


class Requests(Case):
    def test_the_context_tells_who_asks(self):
        status, headers, body = self.system.request("GET", "/things/1", source="127.0.0.2")
        context = json.loads(body)["event"]["requestContext"]
        self.assertEqual(status, 200)
        self.assertEqual(context["http"]["sourceIp"], "127.0.0.2")
        self.assertEqual(context["requestId"], headers["apigw-requestid"])
        self.assertEqual(json.loads(body)["event"]["headers"]["x-forwarded-for"], "127.0.0.2")
        self.assertRegex(context["time"], r"^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000$")

    def test_headers_are_in_lower_case_and_joined_and_cookies_apart(self):
        event = self.system.event(
            "GET",
            "/things/1",
            headers=[("X-Many", "a"), ("x-MANY", "b"), ("Cookie", "c=1; d=2"), ("X-Utf", "é".encode())],
        )
        self.assertEqual(event["headers"]["x-many"], "a,b")
        self.assertEqual(event["headers"]["x-utf"], "é")
        self.assertEqual(event["cookies"], ["c=1", "d=2"])
        self.assertNotIn("cookie", event["headers"])

    def test_bodies_arrive_as_they_were_sent(self):
        text = '{"name": "Größe \\u0000"}'.encode()
        event = self.system.event("PUT", "/things/1", body=text, headers={"content-type": "application/json"})
        self.assertEqual((event["body"].encode(), event["isBase64Encoded"]), (text, False))
        every = bytes(range(256)) * 10
        for kind in ("application/octet-stream", "application/merge-patch+json"):
            event = self.system.event("PUT", "/things/1", body=every, headers={"content-type": kind})
            self.assertEqual((base64.b64decode(event["body"]), event["isBase64Encoded"]), (every, True))
        self.assertNotIn("body", self.system.event("PUT", "/things/1", body=b""))

    def test_large_bodies(self):
        for size, expected in ((3_000_000, 200), (6_400_000, 413), (10_500_000, 413)):
            with self.subTest(size):
                headers = {"content-type": "text/plain"}
                try:
                    status, _headers, body = self.system.request("PUT", "/things/1", b"x" * size, headers)
                except (BrokenPipeError, ConnectionResetError):
                    status = 413  # the gateway stops reading a body that is too large, and closes the connection
                self.assertEqual(status, expected)
        status, _headers, body = self.system.request("GET", "/large?bytes=5900000")
        self.assertEqual((status, len(body)), (200, 5_900_000))


class Responses(Case):
    def test_what_goes_wrong_in_a_function_stays_there(self):
        for path in ("/fail", "/die", "/nonsense"):
            with self.subTest(path):
                status, headers, body = self.system.request("GET", path)
                self.assertEqual((status, body), (500, b'{"message":"Internal Server Error"}'))
                self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(self.system.request("GET", "/things/1")[0], 200)

    def test_headers_and_cookies(self):
        status, headers, body = self.system.request("GET", "/headers")
        self.assertEqual((status, body), (201, b"{}"))
        self.assertEqual(headers.get_all("content-type"), ["application/problem+json"])
        self.assertEqual(headers.get_all("x-one"), ["a, b"])
        self.assertEqual(headers.get_all("set-cookie"), ["a=1", "b=2"])
        self.assertEqual(len(headers.get_all("date")), 1)

    def test_a_value_without_a_status_is_the_body(self):
        status, headers, body = self.system.request("GET", "/bare")
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        self.assertEqual(json.loads(body), {"inferred": True})

    def test_bytes(self):
        status, _headers, body = self.system.request("GET", "/binary")
        self.assertEqual((status, body), (200, bytes(range(256))))

    def test_requests_are_counted_and_logged(self):
        _status, headers, body = self.system.request("GET", "/things/counted")
        log = self.system.instance.directory / "logs" / "api.log"
        lines = self.eventually(
            lambda: [line for line in log.read_text().splitlines() if headers["apigw-requestid"] in line], "no log line"
        )
        line = json.loads(lines[0])
        self.assertEqual((line["path"], line["route"], line["userId"]), ("/things/counted", "GET /things/{id}", "-"))
        self.assertEqual(line["bytes"], len(body))
        self.assertAlmostEqual(line["at"] / 1000, time.time(), delta=60)
        metrics = self.system.client("cloudwatch").list_metrics(Namespace="AWS/ApiGateway")["Metrics"]
        self.assertEqual({metric["MetricName"] for metric in metrics}, {"Count", "4xx", "5xx", "Latency"})


class Together(Case):
    def test_calls_run_side_by_side_and_many_do_not_queue_up(self):
        answers = []

        def call(path):
            status, _headers, body = self.system.request("GET", path)
            answers.append((status, json.loads(body)["process"]["pid"]))

        # Long enough that all arrive while the first one runs, also on a busy machine.
        together([lambda: call("/things/1?sleep=4")] * 8)
        self.assertEqual(len({pid for _status, pid in answers}), 8)
        answers.clear()
        together([lambda: call("/things/1")] * 200)
        self.assertEqual([status for status, _pid in answers], [200] * 200)


def together(calls) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
