// Commands, their options and their help. Over CLI11, whose templates cost a compiler four seconds in each
// file that includes it: command_line.cpp is the only one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace longhaul::cli {

// An option, a flag or a positional argument, to be described further. What is refused here ends the program
// with exit code 2 before the command runs.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  const Option& required() const;
  const Option& show_default() const;                         // the variable's value at this moment, in the help
  const Option& show_default(const std::string& text) const;  // this text
  const Option& value_name(const std::string& name) const;    // in the help, instead of TEXT or INT
  const Option& one_of(const std::vector<std::string>& words) const;
  const Option& positive() const;
  const Option& not_negative() const;
  const Option& between(int64_t least, int64_t most) const;
  const Option& between(double least, double most) const;
  const Option& separated_by(char delimiter) const;   // several values in one word
  const Option& needs(const Option& other) const;     // given without the other: refused
  const Option& excludes(const Option& other) const;  // given with the other: refused

 private:
  CLI::Option* option_;
};

// A command, or one below another. Copies stand for the same command.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  Command subcommand(const std::string& name, const std::string& description) const;
  void needs_subcommand() const;                 // refused without one
  void hide() const;                             // from all help
  void examples(const std::string& text) const;  // the end of its help
  // Called when the command line names this command and nothing in it was refused.
  void run(std::function<void()> function) const;
  bool given() const;

  // A name without dashes is a positional argument. The variables must live until the command has run.
  Option option(const std::string& name, std::string& value, const std::string& help) const;
  Option option(const std::string& name, std::filesystem::path& value, const std::string& help) const;
  Option option(const std::string& name, std::optional<std::string>& value, const std::string& help) const;
  Option option(const std::string& name, std::vector<std::string>& values, const std::string& help) const;
  Option option(const std::string& name, int& value, const std::string& help) const;
  Option option(const std::string& name, int64_t& value, const std::string& help) const;
  Option option(const std::string& name, uint64_t& value, const std::string& help) const;
  Option option(const std::string& name, std::optional<int64_t>& value, const std::string& help) const;
  Option option(const std::string& name, double& value, const std::string& help) const;
  Option flag(const std::string& name, bool& value, const std::string& help) const;

  // One of several words, each of which stands for a value. The help shows the word of the variable's value.
  template <class Value>
  Option choice(const std::string& name, Value& value, const std::vector<std::pair<std::string, Value>>& words,
                const std::string& help) const {
    std::vector<std::string> names;
    std::string now;
    for (const auto& [word, meaning] : words) {
      names.push_back(word);
      if (meaning == value) now = word;
    }
    const auto choose = [&value, words](const std::string& chosen) {
      for (const auto& [word, meaning] : words) {
        if (word == chosen) value = meaning;
      }
    };
    return Option(word_option(name, choose, help)).one_of(names).show_default(now);
  }

 private:
  CLI::Option* word_option(const std::string& name, std::function<void(const std::string&)> use,
                           const std::string& help) const;

  CLI::App* app_;
};

// The whole program's.
class CommandLine {
 public:
  CommandLine(const std::string& program, const std::string& version, const std::string& description,
              const std::string& examples);
  ~CommandLine();

  Command root() const { return Command(app_.get()); }
  // Runs the command that is asked for. Returns the exit code; what a command throws goes through.
  int run(int argc, char** argv) const;

 private:
  std::unique_ptr<CLI::App> app_;
};

// Thrown by a command that ends with an exit code and has told why.
struct Exit {
  int code;
};

}  // namespace longhaul::cli
