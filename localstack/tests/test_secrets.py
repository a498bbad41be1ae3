"""emulator/secrets.py."""

from tests.harness import Case


class Secrets(Case):
    def value(self) -> str:
        return self.system.client("secretsmanager").get_secret_value(SecretId=self.system.outputs["Secret"])[
            "SecretString"
        ]

    def test_a_generated_secret_keeps_to_its_rules(self):
        value = self.value()
        self.assertEqual(len(value), 64)
        self.assertTrue(value.isalnum(), value)
        for kind in (str.islower, str.isupper, str.isdigit):
            self.assertTrue(any(map(kind, value)))

    def test_ref_is_the_arn_and_an_update_leaves_the_secret_alone(self):
        self.addCleanup(self.system.deploy)
        before = self.value()
        self.assertTrue(self.system.outputs["Secret"].startswith("arn:aws:secretsmanager:"))
        self.system.deploy(ExtraRoute="true")
        self.assertEqual(self.value(), before)
