// MD5 (RFC 1321), because Megatron names its cached index files by it. Not for security.
#pragma once

#include <string>
#include <string_view>

namespace longhaul {

// 32 hexadecimal digits.
std::string md5_hex(std::string_view bytes);

}  // namespace longhaul
