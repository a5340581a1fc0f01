#ifndef TALWEG_BASE_CRC32C_H_
#define TALWEG_BASE_CRC32C_H_

#include <cstdint>
#include <string_view>

namespace talweg {

// CRC-32C (Castagnoli), the checksum of iSCSI, ext4 and LevelDB: finds every burst of damage up to
// 32 bits and all but one in 2^32 of the rest. It guards against accidents, not against people.
//
//   uint32_t sum = Crc32c("123456789");                // 0xe3069283
//   sum = Crc32c("9", Crc32c("12345678"));             // the same, in pieces
uint32_t Crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace talweg

#endif  // TALWEG_BASE_CRC32C_H_
