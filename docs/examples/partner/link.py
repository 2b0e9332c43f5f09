accepted = api.post(f"/users/{user_id}/login-link", json={})
accepted.raise_for_status()
print(accepted.json())
