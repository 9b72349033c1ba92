/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature_data: keys and signatures of "signed data\n", made by signature_data.sh. The private keys are gone.
 */
#pragma once

/* clang-format off */
static const char good_key[] =
	"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
	"\n"
	"mDMEY7DNABYJKwYBBAHaRw8BAQdA7C5NTOkodbV5PzNyTNM/C9pOYVv79qhwsAay\n"
	"pOIjJZK0DWdvb2QgPGdvb2RAeD6IkAQTFggAOBYhBHQh+NXD2t3uWBpvEje1wTWJ\n"
	"odZ9BQJjsM0AAhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJEDe1wTWJodZ9\n"
	"X8EA/2Wr7Nba5qkozL6sC4QLsjKkYd9KESI5ldOkbFQE5MrrAQCMwuP7IYZdtzSD\n"
	"E9bg7NmC51uIjWuj+x0cY7cz9jDDDg==\n"
	"=Q2TS\n"
	"-----END PGP PUBLIC KEY BLOCK-----\n";

static const char good_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iH0EABYIACUWIQR0IfjVw9rd7lgabxI3tcE1iaHWfQUCY7IegAccZ29vZEB4AAoJ\n"
	"EDe1wTWJodZ9KlEBAJkedrCMm+h9oAM7BLcsejN9lmiTp1cUWRvflHOxiUIwAP9S\n"
	"dFea0I8epPHGQFuKLxMF5VISNH8lqlHDomTUbSpsCw==\n"
	"=px8c\n"
	"-----END PGP SIGNATURE-----\n";

static const char other_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iH0EABYIACUWIQR0IfjVw9rd7lgabxI3tcE1iaHWfQUCY7IegAccZ29vZEB4AAoJ\n"
	"EDe1wTWJodZ9+WYA/1UjdMsdKMa0JBoQ4ENi8teZWB9yep8m6YlUZZfyadLKAQDZ\n"
	"OqzTwoJfZfYdflIRf2sfTJd/G3iXYUyrFT6BgQDhAA==\n"
	"=knSE\n"
	"-----END PGP SIGNATURE-----\n";

static const char sha1_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iH0EABYCACUWIQR0IfjVw9rd7lgabxI3tcE1iaHWfQUCY7IegAccZ29vZEB4AAoJ\n"
	"EDe1wTWJodZ9K2oA/irew9rtSsUtQ3hZMZo9CSJ9QOusdLbqQs0EV4qY7D6zAQDS\n"
	"iwsbkOlmRlXZXNaS6L3XYYjsVlGRVebkyUP3gW3SAw==\n"
	"=vIdw\n"
	"-----END PGP SIGNATURE-----\n";

static const char expired_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iIMEABYIACsWIQR0IfjVw9rd7lgabxI3tcE1iaHWfQUCY7IegAWDAAFRgAccZ29v\n"
	"ZEB4AAoJEDe1wTWJodZ9v3gBAMbfh5LQNOn+ALmxk2ATE+y9x/AoHrGiTJmpfSBW\n"
	"GIwsAQDwWqP9fj5KvwIQU23KxWfUhixa8Wuz+u2wm1Rn8PesCg==\n"
	"=dmuL\n"
	"-----END PGP SIGNATURE-----\n";

static const char future_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iH0EABYIACUWIQR0IfjVw9rd7lgabxI3tcE1iaHWfQUC8qUjgAccZ29vZEB4AAoJ\n"
	"EDe1wTWJodZ96XQA/35nSi85s8wPrAn9h4UA49Swo8h3yacMt5J0x0+lqLrHAP9b\n"
	"BgJEy1XKyT9+Dt88LBz+bFf+qJ0avWS3hwR3NpXEAw==\n"
	"=/Kca\n"
	"-----END PGP SIGNATURE-----\n";

static const char inline_signature[] =
	"-----BEGIN PGP MESSAGE-----\n"
	"\n"
	"owGbwMvMwCFmvvWgaefCa7WMa8SSWFISSxKTN8k1FGem56WmKIC4XB21LAxiHAyq\n"
	"YoosJYo/rh6+dfddhFS+EEwfKxNIA7tMen5+ikMFAxenAExGK5CRYaZc2Yae2S9q\n"
	"FzBbs2zXqTKunZYxeXm4SKT0/SnFGzudDBj+B5WEz7rQL7fk4zGH6C59YdanQUIm\n"
	"9aqrAg8vSrmSq5XDDQA=\n"
	"=am5t\n"
	"-----END PGP MESSAGE-----\n";

static const char stranger_key[] =
	"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
	"\n"
	"mDMEY7DNABYJKwYBBAHaRw8BAQdAonpY70QZ77akMV0mOnh2xfw9lAY2vHu0X1Pw\n"
	"l5JMsWK0FXN0cmFuZ2VyIDxzdHJhbmdlckB4PoiQBBMWCAA4FiEE2vFWeWt0ms9C\n"
	"aZO4Se/v5MRfQmkFAmOwzQACGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ\n"
	"Se/v5MRfQmnfZgD/YR5QKyBLXLcACquCxFClyuCZaei4cHWUlwE4t6oJv7EBAJoD\n"
	"J88bhS56q2HezsvX3bx1t78ngOcDX6RiVjfDepsP\n"
	"=/k0A\n"
	"-----END PGP PUBLIC KEY BLOCK-----\n";

static const char two_signatures[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iIEEABYIACkWIQTa8VZ5a3Saz0Jpk7hJ7+/kxF9CaQUCY7IegAscc3RyYW5nZXJA\n"
	"eAAKCRBJ7+/kxF9CaRubAQCWn6KAc7BFNvjwAwZpYI8uSQJKuA+I9kw1S56hkLn5\n"
	"LAEAzmiNIRN463+irQHPf6UUM4eW0e64JmU7hSNuw5VQxwKIfQQAFggAJRYhBHQh\n"
	"+NXD2t3uWBpvEje1wTWJodZ9BQJjsh6ABxxnb29kQHgACgkQN7XBNYmh1n0qUQEA\n"
	"mR52sIyb6H2gAzsEtyx6M32WaJOnVxRZG9+Uc7GJQjAA/1J0V5rQjx6k8cZAW4ov\n"
	"EwXlUhI0fyWqUcOiZNRtKmwL\n"
	"=FUSS\n"
	"-----END PGP SIGNATURE-----\n";

static const char early_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iIAEABYIACgWIQSOirZGeS+9nFxo637i0p8U5uTq3QUCY7IegAocZXhwaXJlZEB4\n"
	"AAoJEOLSnxTm5OrdCCMBAPZsURCWazKZtqk96gsIjGMVFH0nORgGW6PC5TKGpRp0\n"
	"AQCH4AIo85z5fMMsQisJOe1Vg+Jcre+Lhg9nnb2iOph7DQ==\n"
	"=f3Uc\n"
	"-----END PGP SIGNATURE-----\n";

static const char late_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iIAEABYIACgWIQSOirZGeS+9nFxo637i0p8U5uTq3QUCZHffgAocZXhwaXJlZEB4\n"
	"AAoJEOLSnxTm5Ordaf0BAIj/9oz4cWtY+6Sh8H+gDT5X5ZFU6hT/eSMe7qHssGs2\n"
	"AP9CukRYxRkbcWJg23N5Oxk11Feuy1Rz64c1pH5pEKp+Bg==\n"
	"=K9ZI\n"
	"-----END PGP SIGNATURE-----\n";

static const char expired_key[] =
	"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
	"\n"
	"mDMEY7DNABYJKwYBBAHaRw8BAQdAFAF7P4jxvq3QNzwQJeHUd98a8K1O2sreG0Un\n"
	"wBjDTU+0E2V4cGlyZWQgPGV4cGlyZWRAeD6IlgQTFggAPgIbAwULCQgHAgYVCgkI\n"
	"CwIEFgIDAQIeAQIXgBYhBI6KtkZ5L72cXGjrfuLSnxTm5OrdBQJjs3AABQkAKYdA\n"
	"AAoJEOLSnxTm5OrdrhYA/3reygQK+YqeO2usCu3UROx74WFlCBrA74uv2kTmxgxS\n"
	"AQCBJneQLqiTamT4v2kJBxxIXwzfzACu14JrSpvYh5vdBQ==\n"
	"=S5W+\n"
	"-----END PGP PUBLIC KEY BLOCK-----\n";

static const char expired_revoked_key[] =
	"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
	"\n"
	"mDMEY7DNABYJKwYBBAHaRw8BAQdAFAF7P4jxvq3QNzwQJeHUd98a8K1O2sreG0Un\n"
	"wBjDTU+IeAQgFggAIBYhBI6KtkZ5L72cXGjrfuLSnxTm5OrdBQJjsM0AAh0AAAoJ\n"
	"EOLSnxTm5OrdWq8BAKpr4/Kids2gmEscn5GC1SbzGkGeBXVXDQJ/vBwcZawxAP4t\n"
	"09uyTCmpWO8xya+6QjA9kXRsiPGWOrxj0D00QczvD7QTZXhwaXJlZCA8ZXhwaXJl\n"
	"ZEB4PoiWBBMWCAA+AhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheAFiEEjoq2Rnkv\n"
	"vZxcaOt+4tKfFObk6t0FAmOzcAAFCQAph0AACgkQ4tKfFObk6t2uFgD/et7KBAr5\n"
	"ip47a6wK7dRE7HvhYWUIGsDvi6/aRObGDFIBAIEmd5AuqJNqZPi/aQkHHEhfDN/M\n"
	"AK7XgmtKm9iHm90F\n"
	"=rmlE\n"
	"-----END PGP PUBLIC KEY BLOCK-----\n";

static const char revoked_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iIAEABYIACgWIQSe8KW5zkwFmFTaVmR0E4VlC9rztgUCY7IegAoccmV2b2tlZEB4\n"
	"AAoJEHQThWUL2vO2z5YA/iC8a/j/hbjF6u9WcI04qoOzuIEcpzqnT/t7SMyCUK2H\n"
	"AQCLj11RtoUPhNJUnh/DRDg9hieTNwbPDkHVIDIH0SkoDA==\n"
	"=fBxh\n"
	"-----END PGP SIGNATURE-----\n";

static const char revoked_key[] =
	"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
	"\n"
	"mDMEY7DNABYJKwYBBAHaRw8BAQdAkjr09ElGJce7qc0+UnjJgj17i3Dd5U8Cwbop\n"
	"yIkXK/qIeAQgFggAIBYhBJ7wpbnOTAWYVNpWZHQThWUL2vO2BQJjsM0AAh0AAAoJ\n"
	"EHQThWUL2vO2ylsBAI/e/+9OtWzG7popLaAY6IhWnK6PSDt6Qw81pSQYfulUAP9c\n"
	"VkCRQ8GRzZvNWREO7piq2ny2jAEAFOOhRHwhv440AbQTcmV2b2tlZCA8cmV2b2tl\n"
	"ZEB4PoiQBBMWCAA4FiEEnvCluc5MBZhU2lZkdBOFZQva87YFAmOwzQACGwMFCwkI\n"
	"BwIGFQoJCAsCBBYCAwECHgECF4AACgkQdBOFZQva87a8BAD7Bfzk2sF9odKHOW7v\n"
	"oznBJDKoOaMv85umV3Ahm/3XMu8BAPib/wnNCeDpCvs4IHd6H+1yk7JBlyp4pljU\n"
	"AWO8u9MK\n"
	"=cLci\n"
	"-----END PGP PUBLIC KEY BLOCK-----\n";

static const char short_key[] =
	"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
	"\n"
	"mI0EY7DNAAEEAPcx0xvIXg6s6RUsfryfAtklx9OtriL8E3XgebdFN5PRsounQ5wW\n"
	"IsSVca4UrpjRCtSFg9FE6yL6XtjuChFitFIcnn9JDEXJuv2RYxGQTxJGXH/uFLEQ\n"
	"YlXyh5WwKk7roM0OQibVn5q+tfXm7dB8J249hwAfexyJndyhoP5mAOsjABEBAAG0\n"
	"D3Nob3J0IDxzaG9ydEB4PojOBBMBCgA4FiEEwOB9IngfbEmLeIPD7up+SGflXUEF\n"
	"AmOwzQACGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ7up+SGflXUHpmwQA\n"
	"m1ghlg5M6zj970NVdFktHK2MTrbzThfkmH2AVNtnfelmqNnHUANFh9aWBimTINub\n"
	"XxvLhzmYcpUFMeFulYZ/PO/m/9Qw5g4MSWqeCgdtRYweTI2mL3Ld6g9KehWg3JoB\n"
	"uKkYks89koHUZYPi6BQNeeqkulYCvczK04c+Bk/j5ww=\n"
	"=EXNR\n"
	"-----END PGP PUBLIC KEY BLOCK-----\n";

static const char short_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iLwEAAEKACYWIQTA4H0ieB9sSYt4g8Pu6n5IZ+VdQQUCY7IegAgcc2hvcnRAeAAK\n"
	"CRDu6n5IZ+VdQZPcA/43L2P+l30R5h38AxGAsJ6gezitjtHwm+QjqfKSzWqKLk3N\n"
	"RzlDhGg/lYLviv2zezA/+7OgPzE9Vd906wBE84TnFQgAVRIMAaQKTDZiX4pasy/S\n"
	"J2iJxg1U0OLQ4g5Zo4CTYs3xATEIgmF6UfBK9WTBaQl65p0RhATswwR/HouwdA==\n"
	"=B6UU\n"
	"-----END PGP SIGNATURE-----\n";

static const char subkey_key[] =
	"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
	"\n"
	"mQENBGOwzQABCADFDG1KFOs4fIq62bvjYuz+Z8dC9/NykTF+1TFDsoh6bTTs4c05\n"
	"sqml7oo57UopWey+3gcWuB7IkpZU0ljhiwF0qARfN7nqTWuiabdqVlTaAtGWmBLb\n"
	"U3soBLu7n4LV0JB/z5ESj7Xl76+R+7Yu7n88hgKtSzQcXWyl3Ohp7QlYeFu1tp77\n"
	"paNkaw/Qb0a50iP1Hs/g2E8mj2K6CimfxAqln2bgHPuKGUBZ5UG06b5UHzDdGXFs\n"
	"RdIRjpO1QPlhoFkJRlSs5YaVvhTS94Kt5W6yVJgJO0ezanzcvglHVmzZWIa0Ag+4\n"
	"Fqq6PWcukNPoYtzyi+eVrPfMw14MJRlBdDcFABEBAAG0EXN1YmtleSA8c3Via2V5\n"
	"QHg+iQFOBBMBCgA4FiEEP0SeRFn8DTKOmvDaEXFRTFfJve8FAmOwzQACGwMFCwkI\n"
	"BwIGFQoJCAsCBBYCAwECHgECF4AACgkQEXFRTFfJve/UgAgAoBvTo0zqQcABQ1JN\n"
	"ZwsJazy53XzbM/Y84j0xCLna6h01lwaZkeLAHy1CZ2ROp5/wYXj+dUZ0U8mgtmRF\n"
	"nX001AaE+7YMoqswMbBz8x56Tqes5OCAQ/oEUJMGFWXBtmUwePwp3HCY6oYWh6UJ\n"
	"uQlJqbZX4bDkVvP7RjoLe7OUIafy9A8wgWD2TCyRGQ46UuXiIPPs4Y09IHAbXcyW\n"
	"wZeiid9lI+N+9lGz5FE+S/sHuLoN7It2Tc3nf9VQNHF4PA/1OmXhLI1Evldfu4MM\n"
	"bGXMBRJYNVgR+4z61EIgTaGHKkVwbPmMkxmwaU467JdQ0OPL+PKmEFZ6U8nhzeHu\n"
	"YFR9cLhSBGOwzQATCCqGSM49AwEHAgMEiRmNh0JFSbCrzXeMe8Jcmi4tEdLUNmnQ\n"
	"lMBwzEIJe14tYgdyMq54Nl+k1ntVfvJqQ6jxgqYt9Mf9FE3apOPDy4kBrQQYAQoA\n"
	"IBYhBD9EnkRZ/A0yjprw2hFxUUxXyb3vBQJjsM0AAhsCAIEJEBFxUUxXyb3vdiAE\n"
	"GRMIAB0WIQQ9liuFhEPcMBBSLZyvf+rScv6gsQUCY7DNAAAKCRCvf+rScv6gsQ/E\n"
	"AP9RFOGs9t1mmAZCn2auyd4gAav9P0Sxjl07BSEPIDi++QEAhHRk2do+u7ysiM7U\n"
	"5E7ttzPv6VmWYCeKOSIvRkjdgZ00fAgAtbduOZxdL5ef8ArqenHBjhgdA7BbrKlW\n"
	"U1VG4kUDXTtGgyXXoxfW7pcDxQKM0lUYDkYrl5ohBsTPBQFKf9BWJ5lfJ+PU5c9r\n"
	"v7/sQy3tFyo9L5JroJ6E17CsztetWg34mjn30hqC29xfWo+CizHjKL80CGptCYIX\n"
	"8OlYFrIFmSAmUXccpz1nOOIgaTU6cY8I9L0TIVzB3efB8JJSTrZR/l32/Lg1MPZj\n"
	"Q3JQX9Go4R8Oa2h+obMGEz50wXxHdtj7+JFxYHTC7s0zpeMgRSCp4SbcHbxCyoH8\n"
	"x+bzHDj1sOhSDoyy218H/ipec3vFjF7IGZf059pXLOxVqa4YpS6tfg==\n"
	"=al/O\n"
	"-----END PGP PUBLIC KEY BLOCK-----\n";

static const char subkey_signature[] =
	"-----BEGIN PGP SIGNATURE-----\n"
	"\n"
	"iH4EABMIACcWIQQ9liuFhEPcMBBSLZyvf+rScv6gsQUCY7IegAkcc3Via2V5QHgA\n"
	"CgkQr3/q0nL+oLFXgAD4pGQjtID3ht1p4kJLYhh6aB5o2wE0Mfez2B9dGvo4owD+\n"
	"Msm3CBUmO9gMco34n/NPLyLzfMxG7VoGUK/yjOhnPuA=\n"
	"=jhGK\n"
	"-----END PGP SIGNATURE-----\n";

static const char ssh_ed25519_key[] =
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICcfPm8hDrfV+4WoED41IZo1vrmv6TA2b5zsMedmSoB0 ed25519@x\n";

static const char ssh_ed25519_signature[] =
	"-----BEGIN SSH SIGNATURE-----\n"
	"U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgJx8+byEOt9X7hagQPjUhmjW+ua\n"
	"/pMDZvnOwx52ZKgHQAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5\n"
	"AAAAQGFkFQBBf7yaJbBZNhtK1RsuuRu/plo+regvBwRwph2RHOH2hK0MB8P1Resf4VtzX4\n"
	"uKfLI7MjxHCe5Ju87sMQE=\n"
	"-----END SSH SIGNATURE-----\n";

static const char ssh_ecdsa_key[] =
	"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIAprJSpejpBR78xZvKHvs//KLm+vrPMpfz026Efk81Wm5lyOL/C5s6CP2Ow7WUCgQ51SFw8ZG+keRnV10iJ0kE= ecdsa@x\n";

static const char ssh_ecdsa_signature[] =
	"-----BEGIN SSH SIGNATURE-----\n"
	"U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAE\n"
	"EEgCmslKl6OkFHvzFm8oe+z/8oub6+s8yl/PTboR+TzVabmXI4v8LmzoI/Y7DtZQKBDnVI\n"
	"XDxkb6R5GdXXSInSQQAAAANnaXQAAAAAAAAABnNoYTUxMgAAAGMAAAATZWNkc2Etc2hhMi\n"
	"1uaXN0cDI1NgAAAEgAAAAgI/QLXG5748N6oei273M7pjhNJ3Oqq3BFCFEBRX2npTsAAAAg\n"
	"e61pn+6dowp5vSkvyiBK611WsJYOooSaSgp1sVRowPc=\n"
	"-----END SSH SIGNATURE-----\n";

static const char ssh_rsa_key[] =
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCdU0B8e6O1oqCO7XxAMCVfMmGS5EAOLThIOdNRsOezGCclil3qzkKbRBkYMbyfdeCavplNkmtZ0VdjOtQJ4Y/9vk+5WcbORLkM6DVzGeZyVGGSsPDXIgWMpbAgHnjW/lBX4gwxH1J88qhJjhHoElfk21Vm+rFWli4Vn/Ej6nJjiVd2z1kEj4kUftlMI4wMotZJo6U0goRbTWtferiqxz33xsKCeSv/DXGbKt1WZ9+o+aJ+d7TSz7s2TxCC+xw/u9uf8J/rjdwBw8+XIy+4vwrFi1fm3plRZs/9gZ3viW4uILiAmRmnd9ZKFweiLPihjHEZM6YBnX0Fwb+Ra2Ltes50douakWEZGqPZdbnWGiHa7V7JH0eMO8hpNfUAoIJnHuoSkIwCNg181WHU9h/o5fEFzLS6gQXkurTF/6s+smyBkmQAXWAfUX5sUEPKRr/YM6btTdlV7J8Exiq8XwD4zJyTbdrrt9k2Hnv9thZoFvnwsd6JzReT+7r0fPVP01zzCOE= rsa@x\n";

static const char ssh_rsa_signature[] =
	"-----BEGIN SSH SIGNATURE-----\n"
	"U1NIU0lHAAAAAQAAAZcAAAAHc3NoLXJzYQAAAAMBAAEAAAGBAJ1TQHx7o7WioI7tfEAwJV\n"
	"8yYZLkQA4tOEg501Gw57MYJyWKXerOQptEGRgxvJ914Jq+mU2Sa1nRV2M61Anhj/2+T7lZ\n"
	"xs5EuQzoNXMZ5nJUYZKw8NciBYylsCAeeNb+UFfiDDEfUnzyqEmOEegSV+TbVWb6sVaWLh\n"
	"Wf8SPqcmOJV3bPWQSPiRR+2UwjjAyi1kmjpTSChFtNa196uKrHPffGwoJ5K/8NcZsq3VZn\n"
	"36j5on53tNLPuzZPEIL7HD+725/wn+uN3AHDz5cjL7i/CsWLV+bemVFmz/2Bne+Jbi4guI\n"
	"CZGad31koXB6Is+KGMcRkzpgGdfQXBv5FrYu16znR2i5qRYRkao9l1udYaIdrtXskfR4w7\n"
	"yGk19QCggmce6hKQjAI2DXzVYdT2H+jl8QXMtLqBBeS6tMX/qz6ybIGSZABdYB9RfmxQQ8\n"
	"pGv9gzpu1N2VXsnwTGKrxfAPjMnJNt2uu32TYee/22FmgW+fCx3onNF5P7uvR89U/TXPMI\n"
	"4QAAAANnaXQAAAAAAAAABnNoYTUxMgAAAZQAAAAMcnNhLXNoYTItNTEyAAABgDon8Pytwq\n"
	"cz2dgF+t+Pnot4EMzPoXxod/1hEK+axtP/Jg07Igv/H0WGTLkMmhzFXi7Cr3KRWDQW3FeO\n"
	"ox0htmuAIB2SLzl4WXaoGSQEayUc5KAduW+5Al1iGS76r2rPRV5pcQ9ZqK2cBjvNoYV8Sq\n"
	"4ABhiafhT8P3k+pqoLooHT/pZOu4L6X2H9oYCVX3DwboZN4Y+6mOyuqHtZ2G6CwUnccyv8\n"
	"v4evkq/zEdBzDrIUF1TVv0a0dJhEC0ru+gGfn5g4wR6WUfvdK7cCi2VBTvJcJrMBIwTMGW\n"
	"WgW3BSnsWFZy3wZwZAMdLsXAXgA+Ya+OWpR/5oMNWuNZU8/unmd+F2x89PHRq+lRaBU9Sy\n"
	"xNr+BbgPJSHnlmzN23BA/K6KQBiHpCD3NIZG1xGGhRPYOAsek4M/TLgzvuOQWdJy1yDrCF\n"
	"qpofX3LktwxOLVUq+OWWJZNy+S3O4ucFkpXb/xS08a2EtvwwDnWQMDk0taBGkSwW32z8a/\n"
	"m8jBZvqNyeqiPQ==\n"
	"-----END SSH SIGNATURE-----\n";

static const char ssh_file_signature[] =
	"-----BEGIN SSH SIGNATURE-----\n"
	"U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgJx8+byEOt9X7hagQPjUhmjW+ua\n"
	"/pMDZvnOwx52ZKgHQAAAAEZmlsZQAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUx\n"
	"OQAAAEBkO84W7BSwOQUnzDL5/TM1OM+H+T0f2mAUCoM5TB+wxbvuakBJ95CAj9FHTq85Bw\n"
	"gdXxGr7fMFw4uFAB4AwXkN\n"
	"-----END SSH SIGNATURE-----\n";

static const char ssh_other_signature[] =
	"-----BEGIN SSH SIGNATURE-----\n"
	"U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgJx8+byEOt9X7hagQPjUhmjW+ua\n"
	"/pMDZvnOwx52ZKgHQAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5\n"
	"AAAAQK88w76txukAipb4MXUuvwH9hWYD5dRaDkvJo1B23a0QMklosT8iced9ulArF51cOS\n"
	"Y0NR7V1Zur0p9FdZ4LXwg=\n"
	"-----END SSH SIGNATURE-----\n";

