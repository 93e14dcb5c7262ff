#include "longhaul/core/shared_library.h"

#include <gtest/gtest.h>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

TEST(SharedLibrary, FindsFunctions) {
  const SharedLibrary library("libm.so.6");
  ASSERT_TRUE(library.loaded()) << library.problem();
  EXPECT_NE(library.path().find("/libm.so.6"), std::string::npos) << library.path();
  double (*root)(double) = nullptr;
  library.require("sqrt", root, "");
  EXPECT_EQ(root(9), 3);
  library.find("no_such_function", root);
  EXPECT_EQ(root, nullptr);
  try {
    library.require("no_such_function", root, "Install another.");
    ADD_FAILURE() << "it is there";
  } catch (const EnvironmentError& error) {
    EXPECT_STREQ(error.what(), "this machine's libm.so.6 has no no_such_function. Install another.");
  }
}

TEST(SharedLibrary, SaysWhyThereIsNone) {
  const SharedLibrary library("libno-such-library.so.1");
  EXPECT_FALSE(library.loaded());
  EXPECT_EQ(library.path(), "");
  EXPECT_NE(library.problem().find("libno-such-library.so.1"), std::string::npos);
  void (*nothing)() = nullptr;
  library.find("sqrt", nothing);
  EXPECT_EQ(nothing, nullptr);
}

}  // namespace
}  // namespace longhaul
