// SPDX-License-Identifier: Apache-2.0
#include "exporter/server.hpp"

#include <microhttpd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
#include <string_view>
#include <utility>

#include "exporter/http.hpp"
#include "exporter/listen.hpp"
#include "metrics/metrics.hpp"

namespace allocd::exporter {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kHtml = "text/html; charset=utf-8";

// What is sent: a body, and whatever keeps its bytes alive until the last of them is out.
struct Answer {
  unsigned status = MHD_HTTP_OK;
  std::string_view content_type = kText;
  std::string_view body;
  std::shared_ptr<const void> owner;
  bool gzip = false;
};

Answer text_answer(unsigned status, std::string text, std::string_view content_type = kText) {
  auto owned = std::make_shared<const std::string>(std::move(text));
  return {.status = status, .content_type = content_type, .body = *owned, .owner = owned};
}

std::string_view header(MHD_Connection* connection, const char* name) {
  const char* const value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value == nullptr ? std::string_view() : value;
}

int descriptor_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* const info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info == nullptr ? -1 : info->connect_fd;
}

ssize_t copy_block(void* answer, std::uint64_t position, char* out, std::size_t size) {
  const std::string_view rest =
      static_cast<const Answer*>(answer)->body.substr(static_cast<std::size_t>(position));
  return static_cast<ssize_t>(rest.copy(out, size));
}

void free_answer(void* answer) {
  delete static_cast<Answer*>(answer);
}

void add_headers(MHD_Response* response, const Answer& answer) {
  const auto add = [&](const char* name, const char* value) {
    (void)MHD_add_response_header(response, name, value);
  };
  add("Content-Type", std::string(answer.content_type).c_str());
  add("X-Content-Type-Options", "nosniff");
  // One request for each connection: no place is held by a client that may or may not come back.
  add("Connection", "close");
  if (answer.gzip) add("Content-Encoding", "gzip");
  if (answer.content_type == metrics::kContentType) add("Vary", "Accept-Encoding");
  if (answer.content_type == kHtml)
    add("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED) add("Allow", "GET, HEAD");
}

MHD_Result send_answer(MHD_Connection* connection, Answer answer) {
  constexpr std::size_t kBlock = 32768;
  auto kept = std::make_unique<Answer>(std::move(answer));
  MHD_Response* const response =
      MHD_create_response_from_callback(kept->body.size(), kBlock, &copy_block, kept.get(), &free_answer);
  if (response == nullptr) return MHD_NO;
  const Answer& owned_by_response = *kept.release();
  add_headers(response, owned_by_response);
  const MHD_Result queued = MHD_queue_response(connection, owned_by_response.status, response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

struct MetricsServer::Handler {
  // libmicrohttpd is C: nothing may be thrown through it. MHD_NO closes the connection.
  static MHD_Result on_request(void* server, MHD_Connection* connection, const char* url, const char* method,
                               const char* /*version*/, const char* /*body*/, std::size_t* /*body_size*/,
                               void** /*state*/) {
    auto& self = *static_cast<MetricsServer*>(server);
    try {
      const MHD_Result sent = send_answer(connection, decide(self, connection, url, method));
      self.lobby_->answered(descriptor_of(connection));
      return sent;
    } catch (const std::exception&) {
      return MHD_NO;
    }
  }

  static void on_connection(void* server, MHD_Connection* connection, void** /*state*/,
                            MHD_ConnectionNotificationCode what) {
    if (what != MHD_CONNECTION_NOTIFY_CLOSED) return;
    static_cast<MetricsServer*>(server)->lobby_->finished(descriptor_of(connection));
  }

  // Paths are compared as they came: none of ours needs escapes, and "%00" would cut one short.
  static std::size_t keep_escapes(void* /*server*/, MHD_Connection* /*connection*/, char* text) {
    return std::strlen(text);
  }

  static Answer decide(MetricsServer& self, MHD_Connection* connection, std::string_view path,
                       std::string_view method) {
    const bool metrics = path == self.telemetry_path_;
    const bool known = metrics || path == "/" || path == "/-/healthy" || path == "/-/ready";
    if (!known)
      return text_answer(MHD_HTTP_NOT_FOUND,
                         "404: nothing here; the metrics are at " + self.telemetry_path_ + "\n");
    if (method != "GET" && method != "HEAD") {
      return text_answer(MHD_HTTP_METHOD_NOT_ALLOWED, "405: only GET and HEAD\n");
    }
    if (metrics) return answer_metrics(self, connection);
    if (path == "/-/healthy") return text_answer(MHD_HTTP_OK, "healthy\n");
    if (path == "/-/ready") return answer_ready(self, connection);
    return text_answer(MHD_HTTP_OK, render_landing_page(ALLOCD_VERSION, self.telemetry_path_), kHtml);
  }

  static std::shared_ptr<const Page> page_for(MetricsServer& self, MHD_Connection* connection) {
    return self.publisher_.page(decide_patience(header(connection, "X-Prometheus-Scrape-Timeout-Seconds")));
  }

  static Answer answer_metrics(MetricsServer& self, MHD_Connection* connection) {
    const std::shared_ptr<const Page> page = page_for(self, connection);
    const bool gzip = accepts_gzip(header(connection, "Accept-Encoding")) && !page->gzip().empty();
    return {.status = MHD_HTTP_OK,
            .content_type = metrics::kContentType,
            .body = gzip ? page->gzip() : page->text(),
            .owner = page,
            .gzip = gzip};
  }

  static Answer answer_ready(MetricsServer& self, MHD_Connection* connection) {
    if (!self.publisher_.ready()) (void)page_for(self, connection);
    if (self.publisher_.ready()) return text_answer(MHD_HTTP_OK, "ready\n");
    return text_answer(MHD_HTTP_SERVICE_UNAVAILABLE,
                       "not ready: no snapshot of the observer could be fetched yet\n");
  }
};

MetricsServer::MetricsServer(std::string telemetry_path, OnChange on_change, Source source)
    : telemetry_path_(std::move(telemetry_path)),
      publisher_(std::move(source), std::move(on_change), [this] { return lobby_->dropped(); }) {
}

base::Result<std::unique_ptr<MetricsServer>> MetricsServer::start(ServerOptions options, Source source) {
  if (!options.telemetry_path.starts_with('/') || options.telemetry_path.starts_with("/-/")) {
    return base::fault("serve metrics at", options.telemetry_path,
                       "the path must begin with / and not with /-/");
  }
  std::unique_ptr<MetricsServer> server(
      new MetricsServer(options.telemetry_path, std::move(options.on_change), std::move(source)));
  if (auto opened = server->open(std::move(options)); !opened) return std::unexpected(opened.error());
  return server;
}

base::Result<void> MetricsServer::open(ServerOptions options) {
  std::vector<base::UniqueFd> listeners = std::move(options.listeners);
  for (const std::string& text : options.listen_addresses) {
    const auto address = parse_listen_address(text);
    if (!address) return std::unexpected(address.error());
    auto listener = open_listener(*address);
    if (!listener) return std::unexpected(listener.error());
    listeners.push_back(std::move(*listener));
  }
  std::ranges::transform(listeners, std::back_inserter(addresses_),
                         [](const base::UniqueFd& listener) { return bound_address(listener.get()); });

  // A thread for each request, so that one that waits for the observer holds up nobody; the lobby bounds
  // them.
  constexpr unsigned kFlags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
                              MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC;
  constexpr std::size_t kStack = std::size_t{512} << 10U;
  constexpr unsigned kIdleSeconds = 15;
  const auto most = static_cast<unsigned>(2 * options.limits.connections);  // the lobby is the real limit
  daemon_ = MHD_start_daemon(kFlags, 0, nullptr, nullptr, &Handler::on_request, this,  //
                             MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds,
                             MHD_OPTION_THREAD_STACK_SIZE, kStack, MHD_OPTION_UNESCAPE_CALLBACK,
                             &Handler::keep_escapes, nullptr, MHD_OPTION_NOTIFY_CONNECTION,
                             &Handler::on_connection, this, MHD_OPTION_END);
  if (daemon_ == nullptr) return base::fault("start", "the HTTP server", "libmicrohttpd refused");

  auto lobby = Lobby::open(std::move(listeners), options.limits,
                           [this](int fd, const sockaddr* address, socklen_t size) {
                             return MHD_add_connection(daemon_, fd, address, size) == MHD_YES;
                           });
  if (!lobby) return std::unexpected(lobby.error());
  lobby_ = std::move(*lobby);
  lobby_->start();
  return {};
}

MetricsServer::~MetricsServer() {
  if (lobby_) lobby_->stop();
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);  // its last callbacks still need the lobby
}

}  // namespace allocd::exporter
