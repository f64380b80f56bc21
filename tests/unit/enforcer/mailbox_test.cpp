// SPDX-License-Identifier: Apache-2.0
#include "enforcer/mailbox.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "support/box.hpp"

using namespace allocd;
using namespace allocd::enforcer;
using test::Box;

namespace {

Request request_of(const std::string& id) {
  return {.id = id, .verb = Verb::apply, .units = {"vllm.service"}, .retry = false, .force = true};
}

Report report_of(const std::string& id) {
  Report report;
  report.request = request_of(id);
  report.pending = {"vllm.service"};
  return report;
}

void set_time(const std::filesystem::path& path, long seconds) {
  const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

std::vector<std::string> ids_of(const std::vector<Request>& requests) {
  std::vector<std::string> ids;
  for (const auto& request : requests) ids.push_back(request.id);
  return ids;
}

struct Fixture {
  Box box;
  Mailbox mailbox{box.root(), "/box/run"};
  Fixture() {
    const auto ready = mailbox.prepare();
    if (!ready) FAIL(ready.error().message());
  }
};

}  // namespace

TEST_CASE("mailbox: a request goes one way and its report the other, once each") {
  Fixture fixture;
  const auto& mailbox = fixture.mailbox;
  CHECK(mailbox.collect("ab").error().code == ENOENT);
  REQUIRE(mailbox.post(request_of("ab")));
  CHECK(fixture.box.mode_of("run/requests/ab.json") == 0600);
  const auto pending = mailbox.pending();
  REQUIRE(pending.size() == 1);
  CHECK(pending[0] == request_of("ab"));
  CHECK(mailbox.waiting() == std::vector<std::string>{"ab"});
  REQUIRE(mailbox.answer(report_of("ab")));
  CHECK(mailbox.pending().empty());
  const auto report = mailbox.collect("ab");
  REQUIRE(report);
  CHECK(*report == report_of("ab"));
  CHECK(mailbox.collect("ab").error().code == ENOENT);
  CHECK(fixture.box.names("run/requests").empty());
  CHECK(fixture.box.names("run/reports").empty());
}

TEST_CASE("mailbox: one that was carried out and not answered is still there") {
  Fixture fixture;
  REQUIRE(fixture.mailbox.post(request_of("ab")));
  (void)fixture.mailbox.pending();
  CHECK(ids_of(Mailbox(fixture.box.root(), "/box/run").pending()) == std::vector<std::string>{"ab"});
}

TEST_CASE("mailbox: requests come in the order of their making") {
  Fixture fixture;
  const auto now = ::time(nullptr);
  for (const auto* id : {"c", "a", "b", "d"}) REQUIRE(fixture.mailbox.post(request_of(id)));
  set_time(fixture.box.at("run/requests/c.json"), now - 300);
  set_time(fixture.box.at("run/requests/d.json"), now - 200);
  set_time(fixture.box.at("run/requests/b.json"), now - 200);  // at once: by name
  set_time(fixture.box.at("run/requests/a.json"), now - 100);
  CHECK(ids_of(fixture.mailbox.pending()) == std::vector<std::string>{"c", "b", "d", "a"});
}

TEST_CASE("mailbox: one that was agreed to long ago is refused") {
  Fixture fixture;
  for (const auto* id : {"a", "b"}) REQUIRE(fixture.mailbox.post(request_of(id)));
  set_time(fixture.box.at("run/requests/a.json"), ::time(nullptr) - 1000);
  CHECK(ids_of(fixture.mailbox.pending()) == std::vector<std::string>{"b"});
  CHECK(fixture.mailbox.waiting() == std::vector<std::string>{"b"});
  const auto report = fixture.mailbox.collect("a");
  REQUIRE(report);
  CHECK(report->error == "it has waited for more than 15 minutes: ask again");
}

TEST_CASE("mailbox: a name that leads elsewhere is refused on both sides") {
  Fixture fixture;
  fixture.box.write("secret.json", render_report(report_of("ab")));
  const auto id = GENERATE(as<std::string>{}, "../../secret", "", ".", "a/b", "A");
  CHECK_FALSE(fixture.mailbox.post(request_of(id)));
  CHECK_FALSE(fixture.mailbox.collect(id));
  CHECK_FALSE(fixture.mailbox.answer(report_of(id)));
  fixture.mailbox.withdraw(id);
  CHECK(fixture.box.names() == std::vector<std::string>{"run", "secret.json"});
  CHECK(fixture.box.names("run/requests").empty());
  CHECK(fixture.box.names("run/reports").empty());
}

TEST_CASE("mailbox: what is no request of root's is not looked at") {
  Fixture fixture;
  const auto text = render_request(request_of("ab"));
  fixture.box.write("run/requests/notes.txt", text);
  fixture.box.write("run/requests/.ab.json.new", text);
  fixture.box.write("run/requests/XY.json", text);
  std::filesystem::create_directory(fixture.box.at("run/requests/0d.json"));
  REQUIRE(::mkfifo(fixture.box.at("run/requests/0f.json").c_str(), 0600) == 0);
  if (::geteuid() == 0) {
    fixture.box.write("run/requests/ab.json", text);
    REQUIRE(::chown(fixture.box.at("run/requests/ab.json").c_str(), 65534, 65534) == 0);
  }
  const auto before = fixture.box.names("run/requests");
  CHECK(fixture.mailbox.pending().empty());
  CHECK(fixture.mailbox.waiting().empty());
  CHECK(fixture.box.names("run/requests") == before);
  CHECK(fixture.box.names("run/reports").empty());
}

TEST_CASE("mailbox: what cannot be understood is answered at once and taken out of the way") {
  Fixture fixture;
  fixture.box.write("run/requests/01.json", "{\"id\": \"01\", \"verb\": \"explode\"");
  fixture.box.write("run/requests/02.json", render_request(request_of("03")));
  REQUIRE(fixture.mailbox.post(request_of("04")));
  CHECK(ids_of(fixture.mailbox.pending()) == std::vector<std::string>{"04"});
  for (const auto* id : {"01", "02"}) {
    const auto report = fixture.mailbox.collect(id);
    REQUIRE(report);
    CHECK(report->request.id == id);
    CHECK_FALSE(report->error.empty());
  }
  CHECK(fixture.box.names("run/requests") == std::vector<std::string>{"04.json"});
}

TEST_CASE("mailbox: a report that cannot be understood is a fault that is told once") {
  Fixture fixture;
  fixture.box.write("run/reports/01.json", "{");
  const auto report = fixture.mailbox.collect("01");
  REQUIRE_FALSE(report);
  CHECK(report.error().code == 0);
  CHECK(fixture.mailbox.collect("01").error().code == ENOENT);
}

TEST_CASE("mailbox: directories are made for one user alone, and others' are refused") {
  Box box;
  const Mailbox mailbox(box.root(), "/box/run");
  SECTION("made") {
    REQUIRE(mailbox.prepare());
    REQUIRE(mailbox.prepare());
    for (const auto* name : {"run", "run/requests", "run/reports"}) CHECK(box.mode_of(name) == 0700);
  }
  SECTION("one that others may enter") {
    std::filesystem::create_directory(box.at("run"));
    std::filesystem::permissions(box.at("run"), std::filesystem::perms{0750});
    CHECK_FALSE(mailbox.prepare());
  }
  SECTION("one inside that others may enter") {
    REQUIRE(mailbox.prepare());
    std::filesystem::permissions(box.at("run/reports"), std::filesystem::perms{0701});
    CHECK_FALSE(mailbox.prepare());
  }
  SECTION("a link to one that would do") {
    std::filesystem::create_directory(box.at("real"));
    std::filesystem::permissions(box.at("real"), std::filesystem::perms{0700});
    std::filesystem::create_symlink("real", box.at("run"));
    CHECK_FALSE(mailbox.prepare());
    CHECK(box.names("real").empty());
  }
  SECTION("a file") {
    box.write("run", "");
    CHECK_FALSE(mailbox.prepare());
  }
  SECTION("somebody else's") {
    if (::geteuid() != 0) return;
    REQUIRE(mailbox.prepare());
    REQUIRE(::chown(box.at("run/requests").c_str(), 65534, 65534) == 0);
    CHECK_FALSE(mailbox.prepare());
  }
  SECTION("nowhere to make it") {
    CHECK_FALSE(Mailbox(box.root(), "/absent/run").prepare());
    CHECK(Mailbox(box.root(), "/absent/run").pending().empty());
    CHECK_FALSE(Mailbox(box.root(), "/absent/run").post(request_of("ab")));
  }
}
