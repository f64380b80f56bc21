// SPDX-License-Identifier: Apache-2.0
// Ids of the journal messages an operator may act on (MESSAGE_ID=, systemd.journal-fields(7)).
//
// Each has an entry in systemd/allocd.catalog, shown by `journalctl -x`; a test holds the two together.
// An id is a contract: it is never reused for another meaning. The comment names the fields that the
// catalog entry refers to and that the message therefore must carry.
#pragma once

#include <string_view>

namespace allocd::host::message_id {

// Started.
inline constexpr std::string_view kReady = "f4ea98176f704bc980b0b14e55fd2f9b";
// Stopping.
inline constexpr std::string_view kStopping = "a1e23f2834634c2c82a0586b9c7bdaa8";
// The configuration was read, at start or on reload. Fields: ALLOCD_CONFIG.
inline constexpr std::string_view kConfigLoaded = "08ebd8f6643e4f668b14af4695197d35";
// Reload found errors and the running configuration was kept. Fields: ALLOCD_CONFIG.
inline constexpr std::string_view kConfigRejected = "1f6c220600b24c0ea6d95accbdec3034";
// The connection to systemd was lost. Fields: ALLOCD_CAUSE.
inline constexpr std::string_view kBusLost = "bb62e9b706964eac98c7236638d5bcb6";
// The connection to systemd is back.
inline constexpr std::string_view kBusBack = "ba53a3f4d8a44ad0b8ebc6d20000ac39";
// A unit entered the view. Fields: ALLOCD_UNIT.
inline constexpr std::string_view kUnitAppeared = "ef7ef139b9fb436a9492c0589a531915";
// A unit left the view. Fields: ALLOCD_UNIT.
inline constexpr std::string_view kUnitVanished = "5131399d128b46358595d2c4cd7caeb8";
// A process does not use the allocator that policy wants. Fields: ALLOCD_UNIT, ALLOCD_PID, ALLOCD_WANTED,
// ALLOCD_FOUND.
inline constexpr std::string_view kViolation = "97a98ba916b44820891e2d9036785220";
// A violation ended. Fields: ALLOCD_UNIT.
inline constexpr std::string_view kViolationCleared = "c7317b9564c44d518ee894c7d3738ac4";
// The kernel refuses what it allowed before. Fields: ALLOCD_UNIT, ALLOCD_PID, ALLOCD_CAUSE.
inline constexpr std::string_view kPermissionLost = "c567d5b19239449582cc5fee3ca5dd4b";
// Reading a process did not end within the deadline. Fields: ALLOCD_UNIT, ALLOCD_PID.
inline constexpr std::string_view kEvidenceTimedOut = "959319bbf0d84774b2b75a71a7b20069";
// The snapshot socket cannot be served. Fields: ALLOCD_PATH, ALLOCD_CAUSE.
inline constexpr std::string_view kSnapshotSocketFailed = "8768194ea4404e94878697bef5f92fca";
// No sample was finished for so long that the watchdog is no longer fed. Fields: ALLOCD_CAUSE.
inline constexpr std::string_view kStalled = "69efe4060d764be183a7a793e421a410";
// A unit's drop-in was written or changed. Fields: ALLOCD_UNIT, ALLOCD_PATH.
inline constexpr std::string_view kDropInWritten = "8faf2b4cab5c40d8ac89a639af41fec8";
// A unit's drop-in was removed. Fields: ALLOCD_UNIT, ALLOCD_PATH.
inline constexpr std::string_view kDropInRemoved = "14bcfb7d92714584a9e4eb6fe68beda9";
// The policy of a unit cannot be applied. Fields: ALLOCD_UNIT, ALLOCD_REASON, ALLOCD_CAUSE.
inline constexpr std::string_view kDropInBlocked = "99f2f9df514f472bb414532c021c3f52";
// A unit's drop-in could not be written or removed. Fields: ALLOCD_UNIT, ALLOCD_CAUSE.
inline constexpr std::string_view kDropInFailed = "ed621e37ef5c4a59afc6132edf495dbf";
// systemd did not read its unit files again. Fields: ALLOCD_CAUSE.
inline constexpr std::string_view kReloadFailed = "48a81ab928b54e0590266e9d5f6a54ad";
// A unit was restarted by its policy. Fields: ALLOCD_UNIT.
inline constexpr std::string_view kUnitRestarted = "c85f46f1e5114ea99f1317e821cbd9e3";
// A unit could not be restarted. Fields: ALLOCD_UNIT, ALLOCD_CAUSE.
inline constexpr std::string_view kRestartFailed = "bf38c1d02e644e3bbc32dfb87a12139b";
// A unit started under its drop-in and stayed up. Fields: ALLOCD_UNIT.
inline constexpr std::string_view kUnitSettled = "2ab509df5b294147aaabfac58ed1043e";
// A unit did not live under its drop-in, which was taken back. Fields: ALLOCD_UNIT, ALLOCD_CAUSE.
inline constexpr std::string_view kRolledBack = "acdf4fe179904f479b5ec04ecaa895fc";
// The enforcer did nothing at all. Fields: ALLOCD_CAUSE.
inline constexpr std::string_view kEnforcementRefused = "188514c195b244f691182c24f643a755";
// A drop-in of allocd's was edited or deleted by somebody else. Fields: ALLOCD_UNIT, ALLOCD_PATH.
inline constexpr std::string_view kDropInTampered = "36a1bc8037714f38b338bf869d30de7c";
// A unit's state against its policy changed otherwise. Fields: ALLOCD_UNIT, ALLOCD_STATE, ALLOCD_REASON,
// ALLOCD_BEFORE.
inline constexpr std::string_view kStateChanged = "ef5f1155c96c4ae6b6599b2c794d7089";
// A file with what is known of a unit's memory drift cannot be used and was set aside. Fields: ALLOCD_UNIT,
// ALLOCD_PATH, ALLOCD_CAUSE.
inline constexpr std::string_view kDriftStateAside = "4c5620bd0d04ce9bb124ad397b5ed02f";
// What is known of memory drift cannot be written. Fields: ALLOCD_PATH, ALLOCD_CAUSE.
inline constexpr std::string_view kDriftNotKept = "61e4caa32100452df0f54f6578e145f6";

}  // namespace allocd::host::message_id
