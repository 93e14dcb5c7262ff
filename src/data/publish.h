// Finished files get the names under which others look for them. A step that was already taken, before the machine
// failed, may be taken again: it does nothing.
#pragma once

#include <filesystem>
#include <string>

namespace longhaul {

// Renames a durable file, durably. Throws EnvironmentError when that fails.
void publish_file(const std::filesystem::path& from, const std::filesystem::path& to);

// Renames both halves of a dataset to PREFIX.bin and PREFIX.idx. An older index goes first, so that at no moment it
// stands beside the new .bin.
void publish_dataset(const std::filesystem::path& bin, const std::filesystem::path& idx, const std::string& prefix);

// Throws UserError where any file of the dataset PREFIX is there already. `described` follows "is there already".
void require_new(const std::string& prefix, const std::string& described = "");

}  // namespace longhaul
