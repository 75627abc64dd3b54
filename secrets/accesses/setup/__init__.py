"""What people run in their own cloud: IAM policies, a CloudFormation template, scripts, and the cards that lead through them."""
