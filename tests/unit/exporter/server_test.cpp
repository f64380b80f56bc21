// SPDX-License-Identifier: Apache-2.0
// The server over real sockets: what it answers, and whom it lets wait.
#include "exporter/server.hpp"

#include <poll.h>

#include <algorithm>
#include <future>

#include "client.hpp"
#include "support/catch.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using test::Client;
using test::get;

namespace {

using Fetched = base::Result<std::shared_ptr<const snapshot::Snapshot>>;

Fetched good_source(std::chrono::milliseconds /*deadline*/) {
  auto snapshot = std::make_shared<snapshot::Snapshot>();
  snapshot->taken_at =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return snapshot;
}

struct Served {
  explicit Served(exporter::Source source = good_source, exporter::LobbyLimits limits = {}) {
    exporter::ServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    options.limits = limits;
    auto started = exporter::MetricsServer::start(std::move(options), std::move(source));
    REQUIRE(started.has_value());
    server = std::move(*started);
    address = server->addresses().at(0);
  }
  std::unique_ptr<exporter::MetricsServer> server;
  std::string address;
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("each path has its answer, and only exactly that path") {
  const Served served;
  const std::string metrics = get(served.address, "/metrics");
  CHECK(metrics.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(contains(metrics, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(contains(metrics, "\nallocd_observer_up 1\n"));
  CHECK(get(served.address, "/metrics?x=1").starts_with("HTTP/1.1 200 "));
  CHECK(contains(get(served.address, "/"), "<a href=\"/metrics\">"));
  CHECK(contains(get(served.address, "/-/healthy"), "\r\n\r\nhealthy\n"));
  CHECK(contains(get(served.address, "/-/ready"), "\r\n\r\nready\n"));
  for (const char* const path : {"/metrics/", "/metrics/x", "/metric", "//metrics", "/-/", "/-/healthy/",
                                 "/index.html", "/%6detrics", "/metrics%00", "/%00", "/%"}) {
    CAPTURE(path);
    CHECK(get(served.address, path).starts_with("HTTP/1.1 404 "));
  }
}

TEST_CASE("HEAD is GET without a body; other methods are told what is allowed") {
  const Served served;
  Client head(served.address);
  head.send("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = head.read_all();
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with("\r\n\r\n"));
  CHECK_FALSE(contains(answer, "Content-Length: 0\r\n"));
  for (const char* const method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    CAPTURE(method);
    Client client(served.address);
    client.send(std::string(method) + " /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    const std::string refused = client.read_all();
    CHECK(refused.starts_with("HTTP/1.1 405 "));
    CHECK(contains(refused, "\r\nAllow: GET, HEAD\r\n"));
  }
}

TEST_CASE("not ready until a snapshot has been fetched, and healthy all the while") {
  std::atomic<bool> works = false;
  const Served served([&](std::chrono::milliseconds deadline) -> Fetched {
    if (works) return good_source(deadline);
    return base::fault("connect to", "the observer", "gone");
  });
  CHECK(get(served.address, "/-/ready").starts_with("HTTP/1.1 503 "));
  CHECK(get(served.address, "/-/healthy").starts_with("HTTP/1.1 200 "));
  const std::string metrics = get(served.address, "/metrics");
  CHECK(metrics.starts_with("HTTP/1.1 200 "));
  CHECK(contains(metrics, "\nallocd_observer_up 0\n"));
  works = true;
  CHECK(get(served.address, "/-/ready").starts_with("HTTP/1.1 200 "));
  works = false;
  CHECK(get(served.address, "/-/ready").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("the scrape timeout reaches the source") {
  std::atomic<std::int64_t> asked = 0;
  const Served served([&](std::chrono::milliseconds deadline) {
    asked = deadline.count();
    return good_source(deadline);
  });
  (void)get(served.address, "/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 1.5\r\n");
  CHECK(asked > 0);
  CHECK(asked <= 1000);
}

TEST_CASE("a source that hangs holds up nobody who does not need it") {
  std::promise<void> begun;
  std::promise<void> release;
  std::atomic<bool> first = true;
  const Served served([&, released = release.get_future().share()](std::chrono::milliseconds deadline) {
    if (first.exchange(false)) {
      begun.set_value();
      released.wait();
    }
    return good_source(deadline);
  });
  Client stuck(served.address);
  stuck.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  begun.get_future().wait();
  CHECK(get(served.address, "/-/healthy").starts_with("HTTP/1.1 200 "));
  const std::string impatient =
      get(served.address, "/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 0.02\r\n");
  CHECK(contains(impatient, "\nallocd_observer_up 0\n"));
  release.set_value();
  CHECK(contains(stuck.read_all(), "\nallocd_observer_up 1\n"));
}

TEST_CASE("silent and half-said clients never keep a scrape waiting") {
  // No deadline may help: those of the server are far beyond the test's own.
  const Served served(good_source, {.silence = 1h, .service = 1h, .unread_answer = 1h});
  std::vector<Client> crowd;
  for (int i = 0; i < 50; ++i) crowd.emplace_back(served.address);
  for (int i = 0; i < 50; ++i) {
    crowd.emplace_back(served.address);
    crowd.back().send("GET /metrics HTTP/1.1\r\nHos");
  }
  for (int i = 0; i < 20; ++i) {
    CHECK(contains(get(served.address, "/metrics"), "\nallocd_observer_up 1\n"));
    crowd.emplace_back(served.address);
  }
  const std::string page = get(served.address, "/metrics");
  CHECK_FALSE(contains(page, "\nallocd_exporter_connections_dropped_total 0\n"));
}

TEST_CASE("a client that goes on typing while others come and go is served in the end") {
  const Served served;
  Client slow(served.address);
  for (const char letter : std::string("GET /-/healthy HTTP/1.1\r\nHost: x\r\n")) {
    slow.send(std::string(1, letter));
    if (letter == '/') CHECK(get(served.address, "/-/healthy").starts_with("HTTP/1.1 200 "));
  }
  slow.send("\r\n");
  CHECK(contains(slow.read_all(), "healthy\n"));
}

TEST_CASE("the silent are dropped after a while though nobody else comes") {
  const Served served(good_source, {.silence = 50ms});
  Client silent(served.address);
  Client half(served.address);
  half.send("GET /");
  CHECK(silent.read_all().empty());  // returns: the server has closed
  CHECK(half.read_all().empty());
}

TEST_CASE("garbage is refused and the server lives on") {
  const Served served;
  const std::string long_header(20'000, 'a');
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\x00", 5), std::string(3, '\0'), std::string("\xFF\xFE garbage\r\n\r\n"),
        std::string("GET\r\n\r\n"), std::string("GET /metrics\r\n\r\n"),
        std::string("GET / HTTP/9.9\r\n\r\n"), std::string("GET /%00%zz HTTP/1.1\r\nHost: x\r\n\r\n"),
        "GET /" + long_header + " HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA: " + long_header + "\r\n\r\n",
        std::string("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        std::string("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n")}) {
    CAPTURE(garbage.substr(0, 40));
    Client client(served.address);
    client.send(garbage);
    client.finish_sending();
    const std::string answer = client.read_all();
    CHECK((answer.empty() || answer.starts_with("HTTP/1.")));
    CHECK_FALSE(answer.starts_with("HTTP/1.1 200 OK\r\n\r\n"));
    REQUIRE(get(served.address, "/-/healthy").starts_with("HTTP/1.1 200 "));
  }
}

TEST_CASE("an answer nobody reads is cut off when its place is wanted") {
  // A page far larger than the socket buffers of a client that wants none of it.
  const auto large_source = [](std::chrono::milliseconds deadline) -> Fetched {
    auto snapshot = std::make_shared<snapshot::Snapshot>(**good_source(deadline));
    snapshot->collectors.resize(40'000);
    for (std::size_t i = 0; i < snapshot->collectors.size(); ++i) {
      snapshot->collectors[i].name = std::string(100, 'x') + std::to_string(i);
    }
    return snapshot;
  };
  const Served served(large_source, {.connections = 2, .silence = 1h, .service = 1h, .unread_answer = 50ms});
  std::vector<Client> deaf;
  for (int i = 0; i < 2; ++i) {
    deaf.emplace_back(served.address, /*receive_buffer=*/4096);
    deaf.back().send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  CHECK(get(served.address, "/-/healthy").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("the server ends while clients are in every state") {
  auto served = std::make_unique<Served>();
  Client silent(served->address);
  Client half(served->address);
  half.send("GET /metrics HT");
  Client whole(served->address);
  whole.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  (void)whole.read_all();
  served.reset();
  CHECK(silent.read_all().empty());
  CHECK(half.read_all().empty());
}

TEST_CASE("a server that cannot open what it is asked to is a fault, not half a server") {
  exporter::ServerOptions options;
  options.listen_addresses = {"127.0.0.1:0", "256.0.0.1:0"};
  CHECK_FALSE(exporter::MetricsServer::start(std::move(options), good_source).has_value());
  for (const char* const path : {"metrics", "", "/-/healthy"}) {
    exporter::ServerOptions other;
    other.telemetry_path = path;
    CHECK_FALSE(exporter::MetricsServer::start(std::move(other), good_source).has_value());
  }
}
